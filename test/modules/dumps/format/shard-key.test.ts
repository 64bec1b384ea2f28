import fc from 'fast-check'
import { NO_CONSTANTS } from '../../../../src/core/schema/column-projection.ts'
import {
  deletesIdentity,
  type FileIdentity,
  type ShardIdentity,
  shardKey,
} from '../../../../src/modules/dumps/format/shard-key.ts'

const DELETES: readonly FileIdentity[] = [
  { path: 'd1', sizeBytes: 1 },
  { path: 'd2', sizeBytes: 2 },
]
const BASE: ShardIdentity = {
  dataFile: { path: 'file:///w/data/a.parquet', sizeBytes: 100, recordCount: 10 },
  deleteFiles: deletesIdentity(DELETES),
  constants: NO_CONSTANTS,
  schemaJson: '{"fields":[]}',
  format: 'csv',
  compression: 'none',
  dialectVersion: 1,
}

test('the key of a shard does not change from version to version', () => {
  expect(shardKey(BASE)).toBe('40ae910fd6253946c3da71778eebb790382aeb8cde4014cbfd65d91c19ffe5d5')
})

test('delete files count in any order', () => {
  expect(deletesIdentity(DELETES.toReversed())).toEqual(deletesIdentity(DELETES))
})

test('thousands of delete files are told by one digest of all', () => {
  const many = Array.from({ length: 3_000 }, (_, i) => ({ path: `d${i}`, sizeBytes: i }))
  const told = deletesIdentity(many)
  expect(told).toHaveLength(1)
  expect(deletesIdentity(many.toReversed())).toEqual(told)
  const another = many.with(7, { path: 'd7', sizeBytes: 8 })
  for (const other of [another, many.slice(1), [...many, { path: 'd7', sizeBytes: 7 }]]) {
    expect(deletesIdentity(other)).not.toEqual(told)
  }
})

test('everything that the bytes depend on changes the key', () => {
  const [first, second] = DELETES
  if (first === undefined || second === undefined) throw new Error('no delete files')
  const withDeletes = (...files: FileIdentity[]) => ({
    ...BASE,
    deleteFiles: deletesIdentity(files),
  })
  const others: readonly ShardIdentity[] = [
    BASE,
    { ...BASE, dataFile: { ...BASE.dataFile, path: 'b' } },
    { ...BASE, dataFile: { ...BASE.dataFile, sizeBytes: 101 } },
    { ...BASE, dataFile: { ...BASE.dataFile, recordCount: 11 } },
    withDeletes(),
    withDeletes(first),
    withDeletes(first, first),
    withDeletes(first, { ...second, sizeBytes: 3 }),
    withDeletes(first, { ...second, contentOffset: 4 }),
    withDeletes(first, { ...second, contentOffset: 40 }),
    { ...BASE, schemaJson: '{"fields":[1]}' },
    { ...BASE, format: 'ndjson' },
    { ...BASE, compression: 'gzip' },
    { ...BASE, dialectVersion: 2 },
    ...[null, 0, -0, 1, 1n, '1', '', true, new Uint8Array([1])].map((value) => ({
      ...BASE,
      constants: new Map([[4, value]]),
    })),
    { ...BASE, constants: new Map([[5, 1]]) },
    { ...BASE, constants: new Map([...[[4, 1] as const], ...[[5, 1] as const]]) },
  ]
  expect(new Set(others.map(shardKey)).size).toBe(others.length)
})

test('texts that are cut elsewhere have another key', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', '1', '"', ','), maxLength: 3 })
  const identity = fc.record({ schemaJson: letters, format: letters, compression: letters })
  fc.assert(
    fc.property(identity, identity, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      expect(shardKey({ ...BASE, ...one }) === shardKey({ ...BASE, ...other })).toBe(isSame)
    }),
    { numRuns: 1000 },
  )
})
