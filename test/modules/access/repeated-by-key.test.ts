import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must } from '../../http/client.ts'
import { send } from '../../http/send.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

async function keyed(by: Caller, method: string, path: string, json?: object) {
  const { status, text } = await send(service.url + path, {
    method,
    headers: {
      Authorization: `Bearer ${by.key}`,
      'Idempotency-Key': '5b1f2a9e-1c1d-4a44-9c0a-000000000001',
      ...(json !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  })
  return { status, text }
}

async function newTable(name: string): Promise<string> {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(service.admin.send('post', '/v1/tables', { name, namespace: 'n', schema }), 201)
  return `/v1/tables/n.${name}`
}

test('who dropped a table gets the same answer again, and nobody else does', async () => {
  const table = await newTable('gone')
  const ada = await service.newCaller({ [table]: ['own'] })
  const bob = await service.newCaller({ [table]: ['select'] })
  const first = await keyed(ada, 'DELETE', table)
  expect(first.status).toBe(200)
  expect(await keyed(ada, 'DELETE', table)).toEqual(first)
  expect((await keyed(bob, 'DELETE', table)).status).toBe(404)
  expect((await ada.send('delete', table)).status).toBe(404)
})

test('who dropped a table over Iceberg REST gets the same answer again', async () => {
  const ada = await service.newCaller({ [await newTable('rest')]: ['own'] })
  const path = '/iceberg/v1/namespaces/n/tables/rest'
  const first = await keyed(ada, 'DELETE', path)
  expect(first.status).toBe(204)
  expect(await keyed(ada, 'DELETE', path)).toEqual(first)
})

test('files are told of again on the table that got them, whatever it is called', async () => {
  const { admin, dataFolder } = service
  const here = await newTable('here')
  const other = await newTable('other')
  const path = join(dataFolder, 'a.parquet')
  await writeParquet(path, 'SELECT 1::BIGINT AS n')
  const files = Array.from({ length: 300 }, (_, i) => ({
    path: join(dataFolder, `${'x'.repeat(200)}${i}.parquet`),
  }))
  for (const copy of files) await copyFile(path, copy.path)
  const add = () => keyed(admin, 'POST', `${here}/files`, { files })
  const first = await add()
  // Longer than what is kept word for word.
  expect([first.status, first.text.length > 65_536]).toEqual([200, true])
  await must(admin.send('post', `${here}/rename`, { name: 'away' }))
  await must(admin.send('post', `${other}/rename`, { name: 'here' }))
  const again = JSON.parse((await add()).text)
  expect(again).toEqual({ ...JSON.parse(first.text), table: 'n.away' })
  await must(admin.send('delete', '/v1/tables/n.away'))
  const { status, text } = await add()
  expect([status, JSON.parse(text).type]).toEqual([404, '/problems/table-not-found'])
})

test('a refusal is not an answer that is kept', async () => {
  const table = await newTable('later')
  const ada = await service.newCaller({ [table]: ['select'] })
  expect((await keyed(ada, 'DELETE', table)).status).toBe(403)
  const grant = [{ principal: ada.principal, privilege: 'own' }]
  await must(service.admin.send('post', `${table}/permissions`, { grant }))
  expect((await keyed(ada, 'DELETE', table)).status).toBe(200)
})
