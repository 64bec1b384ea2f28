import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

const REFS = '/v1/tables/t/refs'
const NO_RETENTION = {
  min_snapshots_to_keep: null,
  max_snapshot_age_ms: null,
  max_ref_age_ms: null,
}

let service: TestService
/** Ids of the table's three snapshots, oldest first. */
const ids: string[] = []

beforeAll(async () => {
  service = await startTestService()
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  for (const name of ['t', 'empty']) {
    await must(post(service, '/v1/tables', { name, schema }), 201)
  }
  for (let n = 0; n < 3; n++) {
    const path = `${service.dataFolder}/${n}.parquet`
    await writeParquet(path, `SELECT ${n}::BIGINT AS n`)
    await must(post(service, '/v1/tables/t/files', { files: [{ path: `file://${path}` }] }))
    ids.push((await must(ask(service, '/v1/tables/t'))).snapshot.snapshot_id)
  }
})
afterAll(() => service.close())

function put(name: string, json?: unknown, table = 't') {
  return ask(service, `/v1/tables/${table}/refs/${name}`, { method: 'PUT', json })
}

function drop(name: string) {
  return ask(service, `${REFS}/${name}`, { method: 'DELETE' })
}

async function refusalOf(answer: ReturnType<typeof ask>): Promise<readonly [number, string]> {
  const { status, body } = await answer
  return [status, body.type.replace('/problems/', '')]
}

test('a tag is made, read by its name, moved, listed and dropped', async () => {
  const [first, , third] = ids
  const tag = { name: 'release-1', type: 'tag', ...NO_RETENTION }
  const made = await must(put('release-1', { snapshot_id: first }))
  expect(made).toEqual({ ...tag, snapshot_id: first })
  expect((await must(ask(service, '/v1/tables/t/release-1'))).totals.data_files).toBe(1)
  expect(await must(put('release-1'))).toEqual({ ...tag, snapshot_id: third })
  const main = { ...tag, name: 'main', type: 'branch', snapshot_id: third }
  const moved = { ...tag, snapshot_id: third }
  expect(await must(ask(service, REFS))).toEqual({ refs: [main, moved] })
  expect((await must(ask(service, '/v1/tables/t'))).refs).toEqual({
    'release-1': { type: 'tag', snapshot_id: third },
  })
  expect(await must(drop('release-1'))).toEqual({ name: 'release-1' })
  expect(await must(ask(service, REFS))).toEqual({ refs: [main] })
  expect((await ask(service, '/v1/tables/t/release-1')).status).toBe(404)
})

test('a branch has its retention, and Iceberg clients see it', async () => {
  const retention = { min_snapshots_to_keep: 2, max_snapshot_age_ms: 1000, max_ref_age_ms: 5000 }
  const branch = { type: 'branch', snapshot_id: ids[1], ...retention }
  expect(await must(put('audit', branch))).toEqual({ name: 'audit', ...branch })
  const { metadata } = await must(ask(service, '/iceberg/v1/namespaces/default/tables/t'))
  expect(metadata.refs.audit).toEqual({
    'snapshot-id': Number(ids[1]),
    type: 'branch',
    'min-snapshots-to-keep': 2,
    'max-snapshot-age-ms': 1000,
    'max-ref-age-ms': 5000,
  })
  await must(drop('audit'))
})

test('setting what is so already changes nothing', async () => {
  await must(put('same', { snapshot_id: ids[0] }))
  const before = await must(ask(service, '/v1/tables/t'))
  await must(put('same', { snapshot_id: ids[0] }))
  expect((await must(ask(service, '/v1/tables/t'))).updated_at).toBe(before.updated_at)
  await must(drop('same'))
})

test('what cannot be a ref is refused, and nothing is changed', async () => {
  const before = await must(ask(service, REFS))
  for (const name of ['main', 'latest', 'refs', 'dump', '123']) {
    expect(await refusalOf(put(name))).toEqual([400, 'update-invalid'])
  }
  const onTag = put('x', { min_snapshots_to_keep: 1 })
  expect(await refusalOf(onTag)).toEqual([400, 'update-invalid'])
  expect(await refusalOf(put('x', { type: 'twig' }))).toEqual([400, 'request-invalid'])
  const both = put('x', { as_at: '2024-01-01', snapshot_id: ids[0] })
  expect(await refusalOf(both)).toEqual([400, 'request-invalid'])
  expect(await refusalOf(put('x', { snapshot_id: '1' }))).toEqual([404, 'snapshot-not-found'])
  expect(await refusalOf(put('x', {}, 'empty'))).toEqual([404, 'snapshot-not-found'])
  expect(await refusalOf(put('x', {}, 'nowhere'))).toEqual([404, 'table-not-found'])
  for (const name of ['nothing', 'constructor', '__proto__']) {
    expect(await refusalOf(drop(name))).toEqual([404, 'snapshot-not-found'])
  }
  expect(await refusalOf(drop('main'))).toEqual([400, 'update-invalid'])
  expect(await must(ask(service, REFS))).toEqual(before)
})
