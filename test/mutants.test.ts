import { readFileSync } from 'node:fs'
import { CATALOG } from './mutants/catalog-mutants.ts'
import { CORE } from './mutants/core-mutants.ts'
import { ENGINE } from './mutants/engine-mutants.ts'
import { FORMATS } from './mutants/formats-mutants.ts'
import { LAKE } from './mutants/lake-mutants.ts'
import { OBJECTS } from './mutants/objects-mutants.ts'
import { SERVICE } from './mutants/service-mutants.ts'

const ALL = [CATALOG, CORE, ENGINE, FORMATS, LAKE, OBJECTS, SERVICE].flat()

test('the text of each deliberate bug is in its file exactly once', () => {
  const stale = ALL.flatMap(({ file, edits }) => {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const isStale = ([from]: readonly [string, string]) => text.split(from).length !== 2
    return edits.filter(isStale).map(([from]) => `${file}: ${from}`)
  })
  expect(ALL.length).toBeGreaterThan(0)
  expect(stale).toEqual([])
})
