import type { DataFile } from '../../../src/core/file/data-file.ts'
import { bindQuery } from '../../../src/core/query/bind-query.ts'
import type { QueryRequest } from '../../../src/core/query/bound-query.ts'
import { shardsOf, writeShards } from '../../../src/modules/datasets/write-shards.ts'
import { field, schemaOf } from '../../engine/engine-samples.ts'

const SCHEMA = schemaOf(field(1, 'id', 'long'), field(2, 'kind', 'int'))

function source(name: string, recordCount: number, fileSizeBytes = 100) {
  const dataFile: DataFile = {
    ...{ content: 'data', format: 'parquet', specId: 0, partition: [] },
    ...{ path: `file:///data/${name}`, recordCount, fileSizeBytes },
  }
  return { dataFile, deleteFiles: [] }
}

const LARGE = ['a', 'b', 'c', 'd', 'e'].map((name) => source(name, 600_000))

function sizes(request: QueryRequest, sources = LARGE): readonly number[] {
  return shardsOf(bindQuery(request, SCHEMA), sources).map(({ length }) => length)
}

test('rows that depend on no others are in files of a million, or of 256 MiB', () => {
  expect(sizes({})).toEqual([2, 2, 1])
  expect(sizes({ columns: ['id'], filter: 'kind > 3' })).toEqual([2, 2, 1])
  const heavy = [1, 2, 3].map((i) => source(`${i}`, 10, 300 * 1024 * 1024))
  expect(sizes({}, heavy)).toEqual([1, 1, 1])
  expect(sizes({}, [])).toEqual([0])
})

test.each([
  [{ groupBy: ['kind'], aggregates: [{ function: 'count' }] }],
  [{ aggregates: [{ function: 'count' }] }],
  [{ orderBy: [{ column: 'id' }] }],
  [{ limit: 7 }],
] as readonly [QueryRequest][])('others are in one: %j', (request) => {
  expect(sizes(request)).toEqual([LARGE.length])
})

/** Writes into a map, which says when. */
async function write(
  made: Map<string, number>,
  {
    nowMs = 0,
    sources = LARGE,
    identity = 'same',
  }: {
    readonly nowMs?: number
    readonly sources?: typeof LARGE
    readonly identity?: string
  } = {},
) {
  const written: string[] = []
  const find = async (location: string) => {
    const modifiedAtMs = made.get(location)
    return modifiedAtMs === undefined
      ? undefined
      : { location, modifiedAtMs, sizeBytes: 1, version: '' }
  }
  const locations = await writeShards(
    { find },
    {
      ...{ query: { query: bindQuery({}, SCHEMA), sources }, folder: 'data' },
      ...{ identity, report: () => {} },
      ambient: { newUuid: () => `uuid-${written.length}`, nowMs: () => nowMs },
      signal: new AbortController().signal,
      write: async (_, location) => {
        made.set(location, nowMs)
        written.push(location)
      },
    },
  )
  return { locations, written }
}

test('what is there is not written again, unless it is old, or other rows', async () => {
  const made = new Map<string, number>()
  const first = await write(made)
  expect(first.written).toEqual(first.locations)
  expect(first.locations.toSorted()).toEqual(first.locations)
  expect(await write(made)).toEqual({ ...first, written: [] })
  const [, second = ''] = first.locations
  made.delete(second)
  expect(await write(made)).toEqual({ ...first, written: [second] })
  // Nothing names them until the dataset is ready, so they are to be deleted some day.
  const late = await write(made, { nowMs: 13 * 3_600_000 })
  expect(late.written).toEqual(late.locations)
  expect(late.locations.some((location) => first.locations.includes(location))).toBe(false)
  const others = await write(made, { sources: LARGE.slice(1) })
  expect(others.written).toEqual(others.locations)
  const otherwise = await write(made, { identity: 'another' })
  expect(otherwise.written).toEqual(otherwise.locations)
})
