import type { ManifestEntry, ManifestFile } from '../../../src/core/file/data-file.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import { encodeSingleValue } from '../../../src/core/value/single-value.ts'
import { openAvroContainer } from '../../../src/formats/avro/avro-container.ts'
import { decodeManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import { describeManifest, encodeManifest } from '../../../src/formats/manifest/manifest-writer.ts'
import { type MergeOutcome, mergeManifests } from '../../../src/lake/snapshot/merge-manifests.ts'
import { createManifest, manifestForm } from '../../../src/lake/snapshot/snapshot-files.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

const SNAPSHOT = { snapshotId: 55n, sequenceNumber: 9n }
const LIKE = { specId: 0, content: 'data' as const }

/** As if the day were a string. */
const TEXT_SCHEMA = {
  ...{ schemaId: 0, identifierFieldIds: [] },
  fields: [{ id: 2, name: 'day', required: false, type: { kind: 'string' as const } }],
}
const TEXT_SPEC = {
  specId: 0,
  fields: [{ fieldId: 1000, sourceId: 2, name: 'day', transform: { kind: 'identity' as const } }],
}

let shop: Workshop
let state: TableState
beforeEach(async () => {
  shop = await openWorkshop()
  state = await createTable(shop.deps, {
    name: 'numbers',
    columns: [
      { name: 'n', type: 'long' },
      { name: 'day', type: 'date' },
    ],
    partitioning: [{ column: 'day', transform: 'identity' }],
  })
})
afterEach(() => shop.close())

function entries(from: number, count: number, status: ManifestEntry['status']): ManifestEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ status, snapshotId: 5n, sequenceNumber: BigInt(from + 1), fileSequenceNumber: 2n },
    dataFile: {
      ...{ content: 'data', format: 'parquet', specId: 0, partition: [from + i] },
      path: `file:///lake/f${from + i}.parquet`,
      ...{ recordCount: 10, fileSizeBytes: 1000 },
    },
  }))
}

async function put(entries: readonly ManifestEntry[]): Promise<ManifestFile> {
  const { file, bytes } = await createManifest(shop.deps, state, {
    ...{ entries, like: LIKE, snapshot: { snapshotId: 5n, sequenceNumber: 3n } },
  })
  await shop.deps.objects.putIfAbsent(file.path, bytes)
  return file
}

async function merge(group: readonly ManifestFile[]) {
  const outcome = await mergeManifests(shop.deps, state, { group, snapshot: SNAPSHOT })
  const { created: merged, left } = outcome as MergeOutcome
  const manifest = decodeManifest(merged.bytes, merged.file)
  const read = Array.from({ length: manifest.entryCount }, (_, i) => manifest.entry(i))
  return { ...merged, left, entries: read.sort((a, b) => day(a) - day(b)) }
}

function day({ dataFile }: ManifestEntry): number {
  return dataFile.partition[0] as number
}

test('merged manifests, small and large, have the live entries of all of them', async () => {
  const group = [
    await put(entries(0, 3, 'added')),
    await put([...entries(100, 450, 'existing'), ...entries(600, 5, 'deleted')]),
    await put(entries(1000, 300, 'existing')),
    await put(entries(2000, 40, 'existing')),
  ]
  const { file, entries: merged } = await merge(group)
  const expected = [
    ...entries(0, 3, 'existing'),
    ...entries(100, 450, 'existing'),
    ...entries(1000, 300, 'existing'),
    ...entries(2000, 40, 'existing'),
  ]
  expect(merged).toEqual(expected)
  const again = { ...manifestForm(state, LIKE), entries: expected, ...SNAPSHOT }
  const { path, lengthBytes } = file
  expect(file).toEqual(describeManifest({ ...again, path, lengthBytes }))
})

test('blocks of a large manifest are copied, those of small ones are made again', async () => {
  const large = await put(entries(0, 2_000, 'existing'))
  const blocksOf = (bytes: Uint8Array) => openAvroContainer(bytes).blocks
  const stored = blocksOf(await shop.deps.objects.read(large.path, { bytesMax: 2 ** 20 }))
  expect(stored.length).toBeGreaterThan(1)
  const small = await Promise.all([3000, 3010, 3020].map((n) => put(entries(n, 10, 'existing'))))
  const blocks = blocksOf((await merge([large, ...small])).bytes)
  const [first, ...others] = blocks
  expect(first?.count).toBe(30)
  expect(others).toEqual(stored)
})

const INT = (value: number) => encodeSingleValue({ kind: 'int' }, value)
const KNOWN = { containsNull: false, containsNan: false }

test.each([
  { what: 'no field', partitions: [] },
  { what: 'a field too many', partitions: [KNOWN, KNOWN] },
  { what: 'no bounds', partitions: [KNOWN] },
  { what: 'one bound', partitions: [{ ...KNOWN, lowerBound: INT(0) }] },
  {
    what: 'bounds of another length',
    partitions: [{ ...KNOWN, lowerBound: Uint8Array.of(1, 2), upperBound: Uint8Array.of(3) }],
  },
])('a summary of $what is not joined: that of the entries is', async ({ partitions }) => {
  const small = await put(entries(0, 3, 'added'))
  const large = await put(entries(1000, 300, 'existing'))
  const other = await put(entries(5000, 3, 'added'))
  const { file, entries: merged } = await merge([
    { ...small, partitions },
    { ...large, partitions },
    other,
  ])
  expect(merged).toHaveLength(306)
  expect(file.partitions).toEqual([{ ...KNOWN, lowerBound: INT(0), upperBound: INT(5002) }])
})

test('a manifest that the table cannot write again stays as it is', async () => {
  const good = [await put(entries(0, 3, 'added')), await put(entries(10, 3, 'added'))]
  const stored = await put(entries(20, 3, 'added'))
  const text = { ...manifestForm(state, LIKE), spec: TEXT_SPEC, schema: TEXT_SCHEMA }
  const values = entries(20, 3, 'added').map((entry) => ({
    ...entry,
    dataFile: { ...entry.dataFile, partition: ['a text'] },
  }))
  const bytes = encodeManifest({ ...text, entries: values })
  const path = `${stored.path}-text`
  await shop.deps.objects.putIfAbsent(path, bytes)
  const foreign = { ...stored, path, lengthBytes: bytes.length }
  const damaged = { ...stored, path: `${stored.path}-damaged` }
  await shop.deps.objects.putIfAbsent(damaged.path, bytes.subarray(0, 100))
  const { left, entries: merged } = await merge([
    damaged,
    good[0] as ManifestFile,
    foreign,
    ...good,
  ])
  expect(left).toEqual([damaged, foreign])
  expect(merged).toHaveLength(9)
  const two = { group: [foreign, good[0] as ManifestFile], snapshot: SNAPSHOT }
  expect(await mergeManifests(shop.deps, state, two)).toBeUndefined()
})
