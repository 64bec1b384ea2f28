import { ask } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { inPath, type Json, must, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({ allowedLocations: ['/x'] })
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/sky/tables/${inPath(name)}`
const create = (name: string, more: object = {}) =>
  must(rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA, ...more } }))
const commit = (name: string, json: object) => must(rest(service, at(name), { json }))
const setProperty = (name: string) =>
  commit(name, { requirements: [], updates: [setProperties({ a: String(Math.random()) })] })

/** Commits an append whose snapshot has this time of its own; returns the last entry of the log. */
async function append(name: string, metadata: Json, [id, timeMs]: [bigint, number]): Promise<Json> {
  const { json } = await writeAppend(metadata, { snapshotId: id, files: [`/x/${id}.parquet`] })
  const snapshot = { ...json, 'timestamp-ms': timeMs }
  const after = (await commit(name, appendCommit(metadata, snapshot))).metadata
  const log = after['snapshot-log']
  expect(log.at(-1)['snapshot-id']).toBe(Number(id))
  expect(after['last-updated-ms']).toBeGreaterThanOrEqual(log.at(-1)['timestamp-ms'])
  return { ...after, loggedMs: log.at(-1)['timestamp-ms'] }
}
async function snapshotAsAt(name: string, ms: number): Promise<unknown> {
  return (await ask(service, `/v1/tables/sky.${name}?as_at=${ms}`)).body.snapshot.snapshot_id
}

test("the log has a snapshot's own time, under which engines look for it", async () => {
  const made = (await create('own')).metadata
  const firstMs = made['last-updated-ms'] + 1
  const first = await append('own', made, [11n, firstMs])
  expect(first.loggedMs).toBe(firstMs)
  // The table changed after the snapshot was made, and before it was committed.
  const changed = (await setProperty('own')).metadata
  const secondMs = firstMs + 1
  const second = await append('own', changed, [12n, secondMs])
  expect(changed['last-updated-ms']).toBeGreaterThanOrEqual(secondMs)
  expect(second.loggedMs).toBe(secondMs)
  expect(await snapshotAsAt('own', firstMs)).toBe('11')
  expect(await snapshotAsAt('own', secondMs)).toBe('12')
})

test('a snapshot not after the last entry, or of the future, is logged with our time', async () => {
  const made = (await create('others')).metadata
  const ownMs = Date.now()
  const first = await append('others', made, [21n, ownMs])
  const earlier = await append('others', first, [22n, ownMs])
  expect(earlier.loggedMs).toBeGreaterThan(ownMs)
  const future = Date.now() + 3_600_000
  const later = await append('others', earlier, [23n, future])
  expect(later.loggedMs).toBeGreaterThan(earlier.loggedMs)
  expect(later.loggedMs).toBeLessThan(future - 3_000_000)
  // A clock that is a little ahead is that of another machine.
  const skewedMs = Date.now() + 500
  expect((await append('others', later, [24n, skewedMs])).loggedMs).toBe(skewedMs)
})

test('so has the first snapshot of a table that is created with it', async () => {
  const staged = (await create('staged', { 'stage-create': true })).metadata
  const ownMs = Date.now() - 50
  const { json } = await writeAppend(staged, { snapshotId: 31n, files: ['/x/31.parquet'] })
  const updates = [
    { action: 'assign-uuid', uuid: staged['table-uuid'] },
    { action: 'set-location', location: staged.location },
    { action: 'add-schema', schema: staged.schemas[0] },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-snapshot', snapshot: { ...json, 'timestamp-ms': ownMs } },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 31 },
  ]
  const made = await commit('staged', { requirements: [{ type: 'assert-create' }], updates })
  expect(made.metadata['snapshot-log']).toEqual([{ 'timestamp-ms': ownMs, 'snapshot-id': 31 }])
  expect(await snapshotAsAt('staged', ownMs)).toBe('31')
})
