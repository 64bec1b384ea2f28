import { existsSync, readFileSync } from 'node:fs'
import { LISTS } from './mutants/lists.ts'

const ALL = Object.values(LISTS).flat()

test('the text of each deliberate bug is in its file exactly once', () => {
  const stale = ALL.flatMap(({ file, edits }) => {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const isStale = ([from]: readonly [string, string]) => text.split(from).length !== 2
    return edits.filter(isStale).map(([from]) => `${file}: ${from}`)
  })
  expect(ALL.length).toBeGreaterThan(0)
  expect(stale).toEqual([])
})

test('the tests that are to catch deliberate bugs are there', () => {
  const tests = ALL.flatMap((group) => group.tests)
  expect(tests.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([])
})

test('no deliberate bug is tried twice on the same tests', () => {
  const bugs = ALL.flatMap(({ file, tests, edits }) => {
    return edits.map((edit) => [file, ...tests, ...edit].join('\n'))
  })
  expect(bugs.filter((bug, i) => bugs.indexOf(bug) !== i)).toEqual([])
})
