import { must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const SCHEMA = { columns: [{ name: 'id', type: 'long' }] }

let service: KeyedService
let admin: Caller

beforeAll(async () => {
  service = await startKeyedService()
  admin = service.admin
})
afterAll(() => service.close())

const make = (name: string) => must(admin.send('post', '/v1/tables', { name, schema: SCHEMA }), 201)

/** What the hourly task does once the time to bring things back is over. */
async function forget(): Promise<void> {
  const { catalog } = service.deps
  for (const store of [catalog.grants, catalog.policies]) {
    const nowMs = Date.now()
    await store.forgetOrphans({ nowMs, beforeMs: 0 })
    await store.forgetOrphans({ nowMs, beforeMs: nowMs + 1 })
  }
  await service.deps.access?.keeper.catchUp()
}

test('whoever had something in a dropped namespace sees the way to it no longer', async () => {
  await must(admin.send('post', '/v1/namespaces', { name: 'x.y' }), 201)
  const ada = await service.newCaller({ '/v1/namespaces/x.y': ['select'] })
  await must(ada.send('get', '/v1/namespaces/x'))
  await must(admin.send('delete', '/v1/namespaces/x.y'))
  expect((await ada.send('get', '/v1/namespaces/x')).status).toBe(404)
  expect((await must(ada.send('get', '/v1/namespaces'))).namespaces).toEqual([])
})

test('a policy on a table that is gone for good restricts nobody', async () => {
  await make('gone.restricted')
  await must(admin.send('put', '/v1/tables/gone.restricted/policy', { row_filter: 'id > 1' }))
  const mayAll = async () =>
    (await must(admin.send('get', '/v1/permissions/check?privilege=modify'))).allowed
  expect(await mayAll()).toBe(false)
  await must(admin.send('delete', '/v1/tables/gone.restricted/policy'))
  expect(await mayAll()).toBe(true)
  await must(admin.send('put', '/v1/tables/gone.restricted/policy', { row_filter: 'id > 1' }))
  await must(
    admin.send('delete', '/v1/tables/gone.restricted').catch((error) => error),
    403,
  )
  const { deps } = service
  const found = await deps.catalog.tables.find({ namespace: ['gone'], name: 'restricted' })
  const { version, definition } = found ?? { version: -1, definition: { tableUuid: '' } }
  const dropped = { tableUuid: definition.tableUuid, expectedVersion: version }
  await deps.catalog.tables.drop(dropped)
  await deps.access?.keeper.catchUp()
  expect(await mayAll()).toBe(false)
  await forget()
  expect(await mayAll()).toBe(true)
})

test('nothing is kept in memory of tables that were made and dropped', async () => {
  const book = service.deps.access?.keeper.book
  await forget()
  const before = book?.securables.length
  for (let n = 0; n < 20; n++) {
    await make(`made.t${n}`)
    await must(admin.send('delete', `/v1/tables/made.t${n}`))
  }
  await must(admin.send('delete', '/v1/namespaces/made'))
  await forget()
  expect(book?.securables).toHaveLength(before ?? -1)
})
