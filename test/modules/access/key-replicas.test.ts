import { setTimeout as sleep } from 'node:timers/promises'
import {
  describeWithPostgres,
  type PostgresServer,
  startPostgres,
} from '../../catalog/postgres-server.ts'
import { must } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { type Caller, callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const COLUMNS = { columns: [{ name: 'id', type: 'long' }] }
const TABLE = '/v1/tables/sky.stars'

let postgres: PostgresServer
let one: KeyedService
let two: TestService

/** Asks until the answer is so; Jest's own limit ends it. */
async function untilStatus(caller: Caller, path: string, status: number): Promise<void> {
  while ((await caller.send('get', path)).status !== status) await sleep(20)
}

/** The same key at the other replica. */
const atTwo = ({ key }: Caller) => callerOf(two, key)

describeWithPostgres('two replicas on one PostgreSQL', () => {
  beforeAll(async () => {
    postgres = await startPostgres()
    const environment = { MORAINE_CATALOG: await postgres.newDatabase() }
    one = await startKeyedService(environment)
    two = await startKeyedService(environment, one.home)
    await must(one.admin.send('post', '/v1/tables', { name: 'sky.stars', schema: COLUMNS }), 201)
  })
  afterAll(async () => {
    await two?.stop()
    await one?.close()
    await postgres?.stop()
  })

  test('what one makes, grants, takes back and revokes counts on the other', async () => {
    const caller = await one.newCaller()
    const other = atTwo(caller)
    await untilStatus(other, '/v1/me', 200)
    expect((await other.send('get', TABLE)).status).toBe(404)
    const grant = [{ principal: caller.principal, privilege: 'select' }]
    await must(one.admin.send('post', `${TABLE}/permissions`, { grant }))
    await untilStatus(other, TABLE, 200)
    await must(atTwo(one.admin).send('post', `${TABLE}/permissions`, { revoke: grant }))
    expect((await other.send('get', TABLE)).status).toBe(404)
    await untilStatus(caller, TABLE, 404)
    const keyId = caller.principal.slice('key:'.length)
    await must(one.admin.send('delete', `/v1/keys/${keyId}`))
    expect((await caller.send('get', '/v1/me')).status).toBe(401)
    await untilStatus(other, '/v1/me', 401)
  })

  test('a role that is given at one counts on the other, and ends there', async () => {
    const caller = await one.newCaller()
    const role = [{ principal: 'role:readers', privilege: 'select' }]
    const add = [caller.principal]
    await must(one.admin.send('post', '/v1/roles/readers/members', { add }))
    await must(one.admin.send('post', `${TABLE}/permissions`, { grant: role }))
    await untilStatus(atTwo(caller), TABLE, 200)
    await must(one.admin.send('delete', '/v1/roles/readers'))
    await untilStatus(atTwo(caller), TABLE, 404)
  })

  test('a token of one is taken by the other, and ends with its key', async () => {
    const caller = await one.newCaller()
    const keyId = caller.principal.slice('key:'.length)
    const issued = await one.deps.access?.tokens.issue(keyId)
    const token = callerOf(two, issued?.token ?? '')
    await untilStatus(token, '/v1/me', 200)
    expect((await token.send('get', '/v1/me')).body).toMatchObject({ principal: caller.principal })
    await must(one.admin.send('delete', `/v1/keys/${keyId}`))
    await untilStatus(token, '/v1/me', 401)
  })

  test('a renaming and a table of the old name are seen by both alike', async () => {
    const caller = await one.newCaller()
    await must(one.admin.send('post', '/v1/tables', { name: 'sky.a', schema: COLUMNS }), 201)
    const grant = [{ principal: caller.principal, privilege: 'select' }]
    await must(one.admin.send('post', '/v1/tables/sky.a/permissions', { grant }))
    const other = atTwo(caller)
    await untilStatus(other, '/v1/tables/sky.a', 200)
    await must(one.admin.send('post', '/v1/tables/sky.a/rename', { name: 'sky.b' }))
    await must(one.admin.send('post', '/v1/tables', { name: 'sky.a', schema: COLUMNS }), 201)
    await untilStatus(other, '/v1/tables/sky.b', 200)
    await untilStatus(other, '/v1/tables/sky.a', 404)
  })
})
