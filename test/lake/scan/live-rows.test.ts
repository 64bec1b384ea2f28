import type { DataFile } from '../../../src/core/file/data-file.ts'
import { liveRows, onlyDataFile } from '../../../src/lake/scan/live-rows.ts'
import { dataFileOf } from '../../catalog/catalog-samples.ts'

const FILE = { ...dataFileOf('file:///d/a.parquet'), recordCount: 10 }
const utf8 = new TextEncoder()

function positions(recordCount: number, rest: Partial<DataFile> = {}): DataFile {
  const file = dataFileOf('file:///d/p.parquet')
  return { ...file, content: 'position-deletes', recordCount, ...rest }
}
const ofFile = (recordCount: number, rest: Partial<DataFile> = {}) =>
  positions(recordCount, { referencedDataFile: FILE.path, ...rest })
const equality = positions(1, { content: 'equality-deletes', referencedDataFile: FILE.path })
const vector = (recordCount: number) => ofFile(recordCount, { format: 'puffin' })

test.each<[string, readonly DataFile[], number | undefined]>([
  ['nothing deletes', [], 10],
  ['positions of this file', [ofFile(3)], 7],
  ['positions of this file, in two that may have the same', [ofFile(3), ofFile(2)], undefined],
  ['positions of another file', [ofFile(3, { referencedDataFile: 'file:///d/b' })], 10],
  ['positions of a whole partition', [positions(1)], undefined],
  ['those beside positions of this file', [ofFile(3), positions(1)], undefined],
  ['an equality', [equality], undefined],
  ['a vector, which has what positions had', [vector(4), ofFile(3), positions(1)], 6],
  ['an equality beside a vector', [vector(4), equality], undefined],
  ['all of its rows', [ofFile(10)], 0],
  ['more rows than there are', [ofFile(11)], undefined],
])('when %s, live rows are told or left open', (_, deletes, live) => {
  expect(liveRows(FILE, deletes)).toBe(live)
})

test('the only file of position deletes is said, or told by equal bounds of its paths', () => {
  const bounds = (id: number, lower: string | undefined, upper: string | undefined) =>
    positions(1, {
      lowerBounds: new Map(lower === undefined ? [] : [[id, utf8.encode(lower)]]),
      upperBounds: new Map(upper === undefined ? [] : [[id, utf8.encode(upper)]]),
    })
  for (const id of [2_147_483_546, 2_147_483_646]) {
    expect(onlyDataFile(bounds(id, 'a', 'a'))).toBe('a')
    expect(onlyDataFile(bounds(id, 'a', 'b'))).toBeUndefined()
    expect(onlyDataFile(bounds(id, 'a', undefined))).toBeUndefined()
    expect(onlyDataFile(bounds(id, undefined, 'a'))).toBeUndefined()
  }
  expect(onlyDataFile(bounds(1, 'a', 'a'))).toBeUndefined()
  expect(onlyDataFile(equality)).toBeUndefined()
  expect(onlyDataFile({ ...bounds(2_147_483_546, 'a', 'a'), referencedDataFile: 'b' })).toBe('b')
})
