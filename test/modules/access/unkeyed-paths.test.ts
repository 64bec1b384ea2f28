import { copyFile } from 'node:fs/promises'
import { unkeyAll } from '../../catalog/unkeyed.ts'
import { must } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const COLUMNS = { columns: [{ name: 'n', type: 'long' }] }
const REST = '/iceberg/v1/namespaces'

let first: KeyedService
let service: TestService
/** Owns `own`, whose table may name any path for all that is known. */
let mallory: Caller
let secret: {
  readonly location: string
  readonly snapshots: readonly Readonly<Record<string, unknown>>[]
}
beforeAll(async () => {
  first = await startKeyedService()
  const { admin, dataFolder } = first
  const create = (namespace: string) =>
    must(admin.send('post', '/v1/tables', { name: 't', namespace, schema: COLUMNS }), 201)
  await create('own')
  mallory = await first.newCaller({ '/v1/namespaces/own': ['own'] })
  // Only tables of before lose their keys.
  unkeyAll(first.deps)
  await create('secret')
  const path = await writeParquet(`${dataFolder}/hidden.parquet`, 'SELECT 7::BIGINT AS n')
  await must(admin.send('post', '/v1/tables/secret.t/files', { files: [{ path }] }))
  secret = (await must(admin.send('get', `${REST}/secret/tables/t`))).metadata
  await first.stop()
  service = await startKeyedService({}, first.home)
  mallory = callerOf(service, mallory.key)
})
afterAll(async () => {
  await service?.stop()
  await first.close()
})

const pathOf = (location: string) => location.replace('file://', '')

test('its owner names no file in the folder of another table', async () => {
  const path = await writeParquet(
    `${pathOf(secret.location)}/data/unnamed.parquet`,
    'SELECT 8::BIGINT AS n',
  )
  const staged = await mallory.send('post', '/v1/tables/own.t/files', { files: [{ path }] })
  expect([staged.status, staged.body?.type]).toEqual([403, '/problems/path-not-readable'])
})

test('nor manifests of another table, in a list of their own', async () => {
  const [snapshot] = secret.snapshots
  const list = `${first.dataFolder}/list.avro`
  await copyFile(pathOf(String(snapshot?.['manifest-list'])), list)
  const { status, text } = await mallory.send('post', `${REST}/own/tables/t`, {
    requirements: [],
    updates: [
      {
        action: 'add-snapshot',
        snapshot: { ...snapshot, 'snapshot-id': 41, 'manifest-list': `file://${list}` },
      },
    ],
  })
  expect([status, text]).toEqual([403, expect.stringMatching(/You may not read .*\.avro/)])
  expect(text).not.toContain('list.avro')
})
