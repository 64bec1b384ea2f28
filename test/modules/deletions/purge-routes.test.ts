import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
let template: string
beforeAll(async () => {
  service = await startTestService()
  const path = join(service.dataFolder, 'numbers.parquet')
  template = await writeParquet(path, 'SELECT range::BIGINT AS n FROM range(10)')
})
afterAll(() => service.close())

/** A table with one file below its own location; returns its id and the file's path. */
async function make(name: string): Promise<{ id: string; path: string }> {
  const columns = [{ name: 'n', type: 'long' }]
  const { table_id, location } = await must(
    post(service, '/v1/tables', { name, schema: { columns } }),
    201,
  )
  const path = `${location.replace('file://', '')}/${name}.parquet`
  await copyFile(template, path)
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
  return { id: table_id, path }
}

const drop = (name: string, query: string) =>
  must(ask(service, `/v1/tables/${name}?${query}`, { method: 'DELETE' }))

async function dumpsOf(tableId: string): Promise<readonly string[]> {
  const folder = join(service.deps.warehouse.replace('file://', ''), '.dumps', tableId)
  return readdir(folder, { recursive: true }).then(
    (names) => names.filter((name) => /\.[a-z]+$/.test(name)),
    () => [],
  )
}

test('an answer to a purge says what is scheduled', async () => {
  const { id } = await make('later')
  expect(await drop('later', 'purge=true')).toEqual({
    ...{ identifier: 'default.later', table_id: id, purged: false },
    metadata_location: expect.stringMatching(/\.metadata\.json$/),
    ...{ deleted_files: 0, scheduled_files: expect.any(Number), kept_files: 0, held_by: [] },
  })
  await make('never')
  expect(await drop('never', 'purge=false')).toMatchObject({ purged: false, scheduled_files: 0 })
})

test.each(['purge=false', 'purge=true'])(
  'a drop is undone by what it answers: %s',
  async (query) => {
    const name = `back_${query.replace('=', '_')}`
    const { id } = await make(name)
    const { created_at } = await must(ask(service, `/v1/tables/${name}`))
    const { metadata_location } = await drop(name, query)
    const dropped = await must(
      ask(service, `/v1/events?subject=${id}&types=moraine.table.dropped.v1`),
    )
    expect(dropped.events[0].data).toMatchObject({ metadata_location })
    const registration = { name, 'metadata-location': metadata_location }
    await must(post(service, '/iceberg/v1/namespaces/default/register', registration))
    const back = await must(ask(service, `/v1/tables/${name}`))
    expect([back.table_id, back.totals.data_files]).toEqual([id, 1])
    expect(back.created_at).toBe(created_at)
  },
)

test('after a purge now there is no way back, and it says so', async () => {
  await make('gone')
  expect(await drop('gone', 'purge=now')).toMatchObject({ purged: true, metadata_location: null })
})

test('a purge now takes the dumps at once, and names what holds files', async () => {
  const { id, path } = await make('now')
  await must(ask(service, '/v1/tables/now/dump?format=csv'))
  await must(ask(service, '/v1/tables/now/dump?format=parquet'))
  expect(await dumpsOf(id)).not.toEqual([])
  const { table_id } = await must(post(service, '/v1/tables/now/clone', { name: 'copy' }), 201)
  await make('other')
  const { transaction_id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const staged = { transaction_id, files: [{ path: `file:${path}` }] }
  await must(post(service, '/v1/tables/other/files', staged))
  // A branch holds its file when the table itself has let go.
  const branched = await make('branched')
  await must(post(service, '/v1/tables/branched/files', { files: [{ path }] }))
  const { snapshot_id } = (await must(ask(service, '/v1/tables/branched'))).snapshot
  const updates = [
    { action: 'set-snapshot-ref', 'ref-name': 'audit', type: 'branch', 'snapshot-id': 0 },
  ]
  const ref = JSON.stringify({ requirements: [], updates }).replace(':0}', `:${snapshot_id}}`)
  const headers = { 'Content-Type': 'application/json' }
  const commit = { method: 'POST', raw: ref, headers }
  await must(ask(service, '/iceberg/v1/namespaces/default/tables/branched', commit))
  const paths = { files: [{ path }] }
  await must(post(service, '/v1/tables/branched/files/remove', paths))
  const answer = await drop('now', 'purge=now')
  expect(answer.held_by).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'table', name: 'default.copy', table_id, ref: null }),
      expect.objectContaining({ kind: 'transaction', name: transaction_id, files: 1 }),
      {
        ...{ kind: 'branch', name: 'default.branched', table_id: branched.id },
        ...{ ref: 'audit', files: 1 },
      },
    ]),
  )
  expect(answer.deleted_files).toBeGreaterThan(0)
  expect(await dumpsOf(id)).toEqual([])
  expect((await ask(service, '/v1/tables/copy/dump?format=csv')).text.split('\n')).toHaveLength(12)
})

test('files that are kept although nothing names them are explained', async () => {
  const columns = [{ name: 'n', type: 'long' }]
  await must(post(service, '/v1/tables', { name: 'lent', schema: { columns } }), 201)
  const path = join(service.dataFolder, 'lent.parquet')
  await copyFile(template, path)
  await must(post(service, '/v1/tables/lent/files', { files: [{ path }] }))
  const lent = await drop('lent', 'purge=now')
  expect(lent).toMatchObject({ purged: true, kept_files: 1, held_by: [] })
  expect(lent.notes).toEqual([expect.stringContaining('added by path')])
  await make('keeping')
  const updates = [{ action: 'set-properties', updates: { 'gc.enabled': 'false' } }]
  const commit = { requirements: [], updates }
  await must(post(service, '/iceberg/v1/namespaces/default/tables/keeping', commit))
  const keeping = await drop('keeping', 'purge=now')
  expect(keeping).toMatchObject({ deleted_files: 0, held_by: [] })
  expect(keeping.notes).toEqual([expect.stringContaining('gc.enabled')])
})

test('files that a dump consists of stay while it is there', async () => {
  const { path } = await make('source')
  await must(post(service, '/v1/tables/source/clone', { name: 'dumped' }), 201)
  await must(ask(service, '/v1/tables/dumped/dump?format=parquet'))
  const { held_by } = await drop('source', 'purge=now')
  const kinds = held_by.map(({ kind }: { kind: string }) => kind)
  expect(kinds).toEqual(expect.arrayContaining(['table', 'dump']))
  expect((await ask(service, '/v1/tables/dumped')).text).toContain(path)
})
