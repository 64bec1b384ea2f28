import { get, type IncomingMessage } from 'node:http'
import type { DataFile } from '../../src/core/file/data-file.ts'
import type { Snapshot } from '../../src/core/table/snapshot.ts'
import { encodeSingleValue } from '../../src/core/value/single-value.ts'
import { writeSnapshot } from '../../src/lake/snapshot/snapshot-writer.ts'
import { listDumpSources } from '../../src/modules/dumps/dump-sources.ts'
import { getDumpTarget } from '../../src/modules/dumps/dump-target.ts'
import { cpuMsSince } from '../cpu-time.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

const FILES = 12_000
const SNAPSHOTS = 6_000
const REST = '/iceberg/v1/namespaces/default/tables'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
  const columns = [{ name: 'n', type: 'long' }]
  for (const name of ['wide', 'long']) {
    await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  }
  await fillFiles()
  await fillHistory()
})
afterAll(() => service.close())

async function stateOf(name: string) {
  const state = await service.deps.catalog.tables.find({ namespace: ['default'], name })
  if (state === undefined) throw new Error('the table is gone')
  return state
}

/** One snapshot of many files, which need not exist: only metadata is read of them. */
async function fillFiles(): Promise<void> {
  const state = await stateOf('wide')
  const bound = (n: number) => new Map([[1, encodeSingleValue({ kind: 'long' }, BigInt(n))]])
  const added = Array.from(
    { length: FILES },
    (_, i): DataFile => ({
      ...{ content: 'data', format: 'parquet', specId: 0, partition: [] },
      path: `${state.definition.location}/data/part-${String(i).padStart(8, '0')}.parquet`,
      ...{ recordCount: 1, fileSizeBytes: 1_000 },
      ...{ lowerBounds: bound(i), upperBounds: bound(i) },
    }),
  )
  const prepared = await writeSnapshot(service.deps, state, {
    change: { added, removedPaths: new Set(), truncate: false },
    summary: {},
  })
  if (prepared === undefined) throw new Error('nothing was written')
  await commit('wide', [prepared.snapshot])
}

async function fillHistory(): Promise<void> {
  const { manifestList } = (await stateOf('wide')).currentSnapshot as Snapshot
  const snapshots = Array.from({ length: SNAPSHOTS }, (_, i): Snapshot => {
    const number = BigInt(i + 1)
    return {
      ...{ snapshotId: number, parentSnapshotId: i === 0 ? null : BigInt(i) },
      ...{ sequenceNumber: number, timestampMs: 1_600_000_000_000 + i, operation: 'append' },
      ...{ summary: { filler: 'x'.repeat(200) }, manifestList, schemaId: 0 },
    }
  })
  await commit('long', snapshots)
}

async function commit(name: string, snapshots: readonly Snapshot[]): Promise<void> {
  const state = await stateOf(name)
  const last = snapshots.at(-1) as Snapshot
  const changed = {
    ...state,
    version: state.version + 1,
    lastSequenceNumber: last.sequenceNumber,
    lastUpdatedMs: last.timestampMs,
    currentSnapshot: last,
  }
  const changes = { newSnapshots: snapshots, newLogEntries: snapshots, addedPaths: [] }
  const { outcome } = await service.deps.catalog.tables.commit({
    tables: [{ expectedVersion: state.version, state: changed, ...changes }],
    transactions: [],
  })
  expect(outcome).toBe('committed')
}

/** A reply whose first bytes have arrived and whose others nobody reads. */
function openPaused(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(service.url + path, { agent: false }, (response) => {
      response.once('readable', () => resolve(response))
    })
    request.once('error', reject)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test.each([
  ['a list of all files', '/v1/tables/wide', (json: string) => JSON.parse(json).data_files.length],
  ['a long history', `${REST}/long`, (json: string) => JSON.parse(json).metadata.snapshots.length],
])('%s is begun and others are answered before it is taken', async (_what, path, count) => {
  const paused = await openPaused(path)
  expect(await must(ask(service, '/health'))).toMatchObject({ status: 'ok' })
  await must(post(service, '/v1/transactions/start', {}), 201)
  const page = await must(ask(service, '/v1/tables/long/snapshots?page_size=1'))
  expect(page.snapshots).toHaveLength(1)
  expect(paused.complete).toBe(false)
  const text = await textOf(paused)
  expect(text.length).toBeGreaterThan(1_000_000)
  expect([FILES, SNAPSHOTS]).toContain(count(text))
})

test('a client that leaves in the middle of a list leaves the service well', async () => {
  const paused = await openPaused('/v1/tables/wide')
  paused.destroy()
  const table = await must(ask(service, '/v1/tables/wide'))
  expect(table.data_files).toHaveLength(FILES)
  expect(service.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
})

test('a small request gets its reply before the last of many heavy ones', async () => {
  const order: string[] = []
  const heavy = Array.from({ length: 6 }, async (_, i) => {
    await must(ask(service, i % 2 === 0 ? '/v1/tables/wide' : `${REST}/long`))
    order.push('heavy')
  })
  const small = must(ask(service, '/health')).then(() => order.push('small'))
  await Promise.all([...heavy, small])
  expect(order.indexOf('small')).toBeLessThan(order.length - 1)
})

test('no piece of planning the dump of many files takes most of its processor time', async () => {
  const { deps } = service
  const choice = { format: 'csv', compression: 'none' } as const
  const target = await getDumpTarget(deps, {
    ...{ table: 'wide', selector: {}, ...choice },
    policyOn: () => undefined,
  })
  await listDumpSources(deps, target) // decodes the manifests
  let longestMs = 0
  const began = process.cpuUsage()
  let before = began
  let next: NodeJS.Immediate
  const watch = () => {
    longestMs = Math.max(longestMs, cpuMsSince(before))
    before = process.cpuUsage()
    next = setImmediate(watch)
  }
  next = setImmediate(watch)
  expect(await listDumpSources(deps, target)).toHaveLength(FILES)
  longestMs = Math.max(longestMs, cpuMsSince(before))
  clearImmediate(next)
  expect(longestMs).toBeLessThan(cpuMsSince(began) / 2)
})
