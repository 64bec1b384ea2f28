import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { describePostgres } from '../../catalog/postgres-server.ts'
import { damageTables } from '../../catalog/sqlite/damage.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

const REASON_OF_POSTGRES = /damaged.*nothing is written any more/
const REASON = /damaged.*nothing is written any more.*moraine rebuild/

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  for (const name of ['a', 'b']) await must(post(service, '/v1/tables', { name, schema }), 201)
})
afterEach(() => service.close().catch(() => undefined))

async function append(table: string, file: string) {
  const path = join(service.dataFolder, `${file}.parquet`)
  await writeParquet(path, 'SELECT range::BIGINT AS n FROM range(3)')
  return await post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
}

async function expectFatal(reason = REASON): Promise<void> {
  const ready = await must(ask(service, '/ready'), 503)
  expect(ready).toMatchObject({ status: 'not-ready', reason: expect.stringMatching(reason) })
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  const create = await post(service, '/v1/tables', { name: 'c', schema })
  const commit = await append('b', 'late')
  const start = await post(service, '/v1/transactions/start', {})
  for (const { status, body, headers } of [create, commit, start]) {
    expect({ status, type: body.type }).toEqual({ status: 503, type: '/problems/catalog-damaged' })
    expect(headers.get('retry-after')).toBe('60')
    expect(body.detail).toMatch(reason)
  }
}

test('after one request met damage, nothing is written, and /ready says what to do', async () => {
  expect((await append('a', 'first')).status).toBe(200)
  const path = join(service.home, 'catalog.db')
  damageTables(path, ['snapshots', 'snapshot_log', 'known_paths'])
  const met = await append('a', 'second')
  expect(met.body).toMatchObject({ status: 503, type: '/problems/catalog-damaged' })
  await expectFatal()
  const iceberg = await post(service, '/iceberg/v1/namespaces', { namespace: ['x'] })
  // Neither an unknown outcome (500 to 504) nor worth repeating (429).
  expect(iceberg.status).toBe(507)
  expect((await must(ask(service, '/health'))).status).toBe('ok')
  const logged = service.log.filter((line) =>
    /catalog database is damaged/.test(String(line['msg'])),
  )
  expect(logged[0]).toMatchObject({ err: { message: expect.stringMatching(/malformed/) } })
})

test('a catalog that is moved away under the service is a damaged one', async () => {
  const path = join(service.home, 'catalog.db')
  await rename(path, `${path}.aside`)
  await expectFatal()
  await rename(`${path}.aside`, path)
})

describePostgres((server) => {
  test.each([
    ['XX001', 'data_corrupted'],
    ['XX002', 'index_corrupted'],
  ])('%s (%s) is damage, too', async (sqlState) => {
    const url = await server().newDatabase()
    await service.close()
    service = await startTestService({ environment: { MORAINE_CATALOG: url } })
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    for (const name of ['a', 'b']) await must(post(service, '/v1/tables', { name, schema }), 201)
    expect((await must(ask(service, '/ready'))).status).toBe('ready')
    // The server itself reports it, as for a page that it cannot read.
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    await admin.query(`
      create function damaged() returns trigger language plpgsql as
        $$ begin raise exception 'invalid page' using errcode = '${sqlState}'; end $$;
      create trigger damaged before insert on snapshots execute function damaged()`)
    const met = await append('a', 'met')
    expect(met.body).toMatchObject({ status: 503, type: '/problems/catalog-damaged' })
    await admin.query('drop trigger damaged on snapshots')
    await admin.end()
    // Also after the server says no more of it.
    await expectFatal(REASON_OF_POSTGRES)
    await service.close()
  })
})
