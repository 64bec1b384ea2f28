import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ManifestFile } from '../../../../src/core/file/data-file.ts'
import {
  encodeManifestList,
  readManifestList,
} from '../../../../src/formats/manifest/manifest-list.ts'
import { ask, must as mustPlain, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { writeParquet } from '../../../parquet-files.ts'
import { appendCommit } from './engine-client.ts'
import { type Json, must, type RestAnswer, refusal, rest } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  for (let n = 0; n < 24; n++) await writeParquet(fileOf(n), `SELECT ${n}::BIGINT AS n, 'x' AS t`)
})
afterAll(() => service.close())

const fileOf = (n: number) => `${service.dataFolder}/n${n}.parquet`

async function append(table: string, n: number): Promise<void> {
  const files = [{ path: `file://${fileOf(n)}` }]
  await mustPlain(post(service, `/v1/tables/${table}/files`, { files }))
}

async function filesOf(table: string, filter: string): Promise<number> {
  const path = `/v1/tables/${table}?filter=${encodeURIComponent(filter)}`
  return (await mustPlain(ask(service, path))).data_files.length
}

/** A partitioned table with two commits, whose list an engine writes again, in its own words. */
async function tableOfEngine(
  name: string,
  reworded: (file: ManifestFile) => Partial<ManifestFile>,
): Promise<RestAnswer> {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 't', type: 'string' },
  ]
  const partitioning = ['n', 't'].map((column) => ({ column, transform: 'identity' }))
  await mustPlain(post(service, '/v1/tables', { name, schema: { columns }, partitioning }), 201)
  await append(name, 20)
  await append(name, 21)
  const path = `/namespaces/default/tables/${name}`
  const { metadata } = await must(rest(service, path))
  const parent = metadata.snapshots.at(-1)
  const before = readManifestList(await readFile(fileURLToPath(parent['manifest-list'])))
  const manifests = before.map((file) => ({ ...file, ...reworded(file) }))
  const numbers = { snapshotId: 77n, sequenceNumber: BigInt(metadata['last-sequence-number']) + 1n }
  const manifestList = `${metadata.location}/metadata/snap-77-${name}.avro`
  const parentSnapshotId = BigInt(parent['snapshot-id'])
  const bytes = encodeManifestList({ manifests, parentSnapshotId, ...numbers })
  await writeFile(fileURLToPath(manifestList), bytes)
  const snapshot: Json = {
    ...{ 'snapshot-id': 77, 'parent-snapshot-id': parent['snapshot-id'], 'schema-id': 0 },
    ...{ 'sequence-number': numbers.sequenceNumber, 'manifest-list': manifestList },
    ...{ 'timestamp-ms': metadata['last-updated-ms'] + 1, summary: { operation: 'replace' } },
  }
  return rest(service, path, { json: appendCommit(metadata, snapshot) })
}

const KNOWN = { containsNull: false, containsNan: false }
const EIGHT = (n: number) => Uint8Array.of(n, 0, 0, 0, 0, 0, 0, 0)
const of = (n: number) => ({ ...KNOWN, lowerBound: EIGHT(n), upperBound: EIGHT(n) })

test.each<[what: string, reworded: (file: ManifestFile) => Partial<ManifestFile>]>([
  ['no summaries', () => ({ partitions: [] })],
  ['that of another field only', ({ partitions }) => ({ partitions: partitions?.slice(1) ?? [] })],
  ['one summary too many', ({ partitions }) => ({ partitions: [of(3), ...(partitions ?? [])] })],
  ['no bounds', () => ({ partitions: [KNOWN, KNOWN] })],
  [
    'bounds of two bytes',
    ({ partitions }) => ({
      partitions: (partitions ?? []).map((summary, i) =>
        i === 0 ? { ...summary, lowerBound: Uint8Array.of(1, 2) } : summary,
      ),
    }),
  ],
  [
    'text that is not UTF-8',
    ({ partitions }) => ({
      partitions: (partitions ?? []).map((summary, i) =>
        i === 1 ? { ...summary, lowerBound: Uint8Array.of(0xc3) } : summary,
      ),
    }),
  ],
  ['counts of -1', () => ({ addedFilesCount: -1, existingFilesCount: -1, addedRowsCount: -1 })],
])(
  'a list with %s neither hides rows nor stops commits',
  async (what, reworded) => {
    const name = `t${what.replaceAll(/\W/g, '')}`
    await must(tableOfEngine(name, reworded))
    expect(await filesOf(name, 'n = 20')).toBe(1)
    for (let n = 0; n < 20; n++) await append(name, n)
    expect(await filesOf(name, 'n >= 0')).toBe(22)
    for (const n of [0, 19, 20, 21]) expect([n, await filesOf(name, `n = ${n}`)]).toEqual([n, 1])
    expect(await filesOf(name, "t = 'x'")).toBe(22)
  },
  60_000,
)

test('a list that calls manifests empty which are not is refused', async () => {
  const answer = tableOfEngine('emptied', () => ({ addedFilesCount: 0, addedSnapshotId: 77n }))
  const { status, message } = await refusal(answer)
  expect(status).toBe(400)
  expect(message).toContain('has no live files')
  await append('emptied', 1)
  expect(await filesOf('emptied', 'n >= 0')).toBe(3)
})

/** The same manifest at another path, with other fields in the partition spec of its header. */
function withFields(path: string, change: (fields: Json[]) => Json[]): string {
  const bytes = readFileSync(fileURLToPath(path))
  const start = bytes.indexOf('[{"name":"n","transform"')
  const end = bytes.indexOf(']', start) + 1
  const fields = change(JSON.parse(String(bytes.subarray(start, end))))
  bytes.write(JSON.stringify(fields).padEnd(end - start), start)
  const other = path.replace(/\.avro$/, '-other.avro')
  writeFileSync(fileURLToPath(other), bytes)
  return other
}

test.each<[what: string, change: (fields: Json[]) => Json[], ids: string]>([
  ['another order', (fields) => fields.toReversed(), '1001, 1000'],
  ['fewer', (fields) => fields.slice(1), '1001'],
])('a manifest whose own spec has its fields in %s is refused', async (what, change, ids) => {
  const name = `spec${what.replaceAll(/\W/g, '')}`
  const reworded = ({ path }: ManifestFile) => ({
    path: withFields(path, change),
    addedSnapshotId: 77n,
  })
  const { status, message } = await refusal(tableOfEngine(name, reworded))
  expect(status).toBe(400)
  expect(message).toContain(`the partition fields [${ids}], but spec 0 of the table has`)
  expect(await filesOf(name, 'n = 20')).toBe(1)
})
