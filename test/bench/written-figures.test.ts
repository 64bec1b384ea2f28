import { readFileSync } from 'node:fs'
import {
  DOCUMENTS,
  RECORDED,
  readRecorded,
  recordResults,
  writeFigures,
} from '../../bench/written-figures.ts'

const performance = readFileSync(DOCUMENTS.performance, 'utf8')
const readme = readFileSync(DOCUMENTS.readme, 'utf8')
const recorded = readRecorded()

test('every figure of the README and of docs/performance.md is one that was recorded', () => {
  expect(writeFigures({ performance, readme }, recorded)).toEqual({ performance, readme })
})

test('the recorded run is whole, of one commit without changes, with the load of each', () => {
  const { runs, records } = recorded
  expect(recordResults(recorded)).toBe(readFileSync(RECORDED, 'utf8'))
  expect(runs.filter(({ outcome }) => outcome !== 'done')).toEqual([])
  expect(new Set(records.map(({ commit }) => commit)).size).toBe(1)
  for (const { bench, commit, quick, loadAverage, time } of records) {
    expect({ bench, commit, quick }).toEqual({
      ...{ bench, quick: false },
      commit: expect.stringMatching(/^[0-9a-f]{10}$/),
    })
    expect(loadAverage).toBeGreaterThanOrEqual(0)
    expect(new Date(time).toISOString()).toBe(time)
  }
})

test('a figure that was not measured is refused, and one that has changed is written', () => {
  const others = recorded.records.filter(({ bench }) => bench !== 'stitch')
  expect(() => writeFigures({ performance, readme }, { ...recorded, records: others })).toThrow(
    'no figure of stitch',
  )
  const slower = recorded.records.map((record) =>
    'value' in record && record.what === 'one-file appends, one table, 1 client, one call'
      ? { ...record, value: 1.5 }
      : record,
  )
  const written = writeFigures({ performance, readme }, { ...recorded, records: slower })
  expect(written.readme).toContain('process there | 1.5 | DuckLake')
  expect(written.performance).toContain('| 1.5 /s |')
})

test('outside its table the README names no rate, no size and no time that was measured', () => {
  const [, fast = ''] = readme.split('## How fast')
  const [section = ''] = fast.split('\n## ')
  const [before = '', after = ''] = section.split(/<!-- figures -->[\s\S]*<!-- \/figures -->/)
  expect(`${before}${after}`).not.toMatch(/\d (?:ms|s|MB\/s|\/s|million)\b/)
})
