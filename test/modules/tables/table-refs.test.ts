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

test('a branch or tag selects a snapshot wherever one can be selected', async () => {
  const [first, second, third] = ids
  await must(put('old', { snapshot_id: first }))
  await must(put('line', { type: 'branch', snapshot_id: second }))
  // Made by an engine: digits, which are read as a snapshot id elsewhere.
  const named = { action: 'set-snapshot-ref', 'ref-name': '2024', type: 'tag' }
  const updates = [{ ...named, 'snapshot-id': first }]
  const commit = JSON.stringify({ requirements: [], updates }).replace(`"${first}"`, `${first}`)
  const made = await fetch(`${service.url}/iceberg/v1/namespaces/default/tables/t`, {
    ...{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: commit },
  })
  expect(made.status).toBe(200)
  for (const [ref, id] of [
    ['old', first],
    ['line', second],
    ['2024', first],
    ['main', third],
  ]) {
    expect((await must(ask(service, `/v1/tables/t?ref=${ref}`))).snapshot.snapshot_id).toBe(id)
    await must(post(service, '/v1/tables/t/clone', { name: `of-${ref}`, ref }), 201)
    const clone = await must(ask(service, `/v1/tables/of-${ref}`))
    expect(clone.snapshot.snapshot_id).toBe(id)
    expect(await must(put('again', { ref }))).toMatchObject({ snapshot_id: id })
    const status = await must(ask(service, `/v1/tables/t/dump/status?ref=${ref}`))
    expect(status.snapshot_id).toBe(id)
    const file = await fetch(`${service.url}/v1/tables/t/t.csv?ref=${ref}`, { redirect: 'manual' })
    expect(file.headers.get('Location')).toContain(`/${id}/dump`)
  }
  await must(post(service, '/v1/tables/t/rollback', { ref: '2024' }))
  expect((await must(ask(service, '/v1/tables/t'))).snapshot.snapshot_id).toBe(first)
  await must(post(service, '/v1/tables/t/rollback', { snapshot_id: third }))

  for (const attempt of [
    ask(service, '/v1/tables/t?ref=none'),
    post(service, '/v1/tables/t/clone', { name: 'x', ref: 'none' }),
    post(service, '/v1/tables/t/rollback', { ref: '__proto__' }),
    put('again', { ref: first }),
  ]) {
    expect(await refusalOf(attempt)).toEqual([404, 'snapshot-not-found'])
  }
  for (const attempt of [
    ask(service, `/v1/tables/t?ref=old&snapshot_id=${first}`),
    post(service, '/v1/tables/t/clone', { name: 'x', ref: 'old', as_at: '2024' }),
    post(service, '/v1/tables/t/rollback', { ref: 'old', snapshot_id: first }),
    post(service, '/v1/tables/t/rollback', {}),
    put('again', { ref: 'old', snapshot_id: first }),
  ]) {
    const { status, body } = await attempt
    expect([status, JSON.stringify(body)]).toEqual([
      400,
      expect.stringMatching(/give (only )?one of as_at, snapshot_id and ref/),
    ])
  }
})
