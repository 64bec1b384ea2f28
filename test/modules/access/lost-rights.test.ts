import { randomUUID } from 'node:crypto'
import { ask, must } from '../../http/client.ts'
import { whyNoStore } from '../../objects/stores/store-program.ts'
import { type EngineStore, openEngineStore } from '../iceberg-rest/vending/engine-store.ts'
import { addAdminKey, type Caller, callerOf, startKeyedService } from './keyed-service.ts'

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'n', required: false, type: 'long' }],
}
const BOTH = { 'X-Iceberg-Access-Delegation': 'vended-credentials, remote-signing' }
const SET = { requirements: [], updates: [{ action: 'set-properties', updates: { x: '1' } }] }
const LATER = { ...SET, updates: [{ action: 'set-properties', updates: { later: 'told' } }] }
const TABLES = '/iceberg/v1/namespaces/r/tables'

type Served = { readonly url: string }

/** A request of a caller with headers of its own. */
function request(
  service: Served,
  { key }: Caller,
  { path, json, ...headers }: { path: string; json?: object; [header: string]: unknown },
) {
  const authorization = key === '' ? {} : { Authorization: `Bearer ${key}` }
  return ask(service, path, {
    ...(json !== undefined && { json }),
    headers: { ...(headers as Record<string, string>), ...authorization },
  })
}

async function makeTable(admin: Caller): Promise<void> {
  await must(admin.send('post', '/iceberg/v1/namespaces', { namespace: ['r'] }))
  await must(admin.send('post', TABLES, { name: 't', schema: SCHEMA }))
}

function change(admin: Caller, path: string, how: 'grant' | 'revoke', by: [Caller, string]) {
  const [{ principal }, privilege] = by
  return must(admin.send('post', `${path}/permissions`, { [how]: [{ principal, privilege }] }))
}

describe('a repeated request', () => {
  test('tells nothing of a table that the caller may no longer read', async () => {
    const service = await startKeyedService()
    try {
      const { admin } = service
      await makeTable(admin)
      const bob = await service.newCaller({ '/v1/tables/r.t': ['modify'] })
      const repeated = { path: `${TABLES}/t`, json: SET, 'Idempotency-Key': randomUUID() }
      await must(request(service, bob, repeated))
      await must(request(service, bob, repeated))
      await change(admin, '/v1/tables/r.t', 'revoke', [bob, 'modify'])
      await must(admin.send('post', `${TABLES}/t`, LATER))
      const again = await request(service, bob, repeated)
      expect(again.status).toBe(404)
      expect(again.text).not.toContain('told')
      // Given back, it is answered again.
      await change(admin, '/v1/tables/r.t', 'grant', [bob, 'select'])
      expect((await must(request(service, bob, repeated))).metadata.properties.later).toBe('told')
    } finally {
      await service.close()
    }
  })

  test('of a long answer on /v1 is not made again of what was taken away', async () => {
    const service = await startKeyedService()
    try {
      const { admin } = service
      const bob = await service.newCaller({ '/v1': ['create'] })
      const columns = Array.from({ length: 1500 }, (_, n) => {
        return { name: `column_${n}_${'x'.repeat(80)}`, type: 'long' }
      })
      const table = { name: 'made', namespace: 'r', schema: { columns } }
      const properties = Object.fromEntries(columns.map(({ name }) => [name, 'y']))
      const creations = [
        { path: '/v1/tables', json: table, 'Idempotency-Key': randomUUID() },
        {
          ...{ path: '/v1/namespaces', json: { name: 'space', properties } },
          'Idempotency-Key': randomUUID(),
        },
      ]
      for (const creation of creations) {
        await must(request(service, bob, creation), 201)
        await must(request(service, bob, creation), 201)
      }
      for (const path of ['/v1/tables/r.made', '/v1/namespaces/r', '/v1/namespaces/space']) {
        await change(admin, path, 'revoke', [bob, 'own'])
      }
      await change(admin, '/v1', 'revoke', [bob, 'create'])
      for (const creation of creations) {
        expect((await request(service, bob, creation)).status).toBe(404)
      }
    } finally {
      await service.close()
    }
  })
})

const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'keys that the operator names for engines', () => {
  let store: EngineStore
  beforeAll(async () => {
    store = await openEngineStore('weed')
  }, 60_000)
  afterAll(() => store.stop())

  test('are lent only to who may change every table; others have requests signed', async () => {
    const service = await store.start({
      ...{
        MORAINE_AUTH: 'keys',
        MORAINE_S3_CREDENTIALS_ENGINES: `${store.server.keysFile}#reader`,
      },
    })
    const admin = callerOf(service, await addAdminKey(service))
    await makeTable(admin)
    const newCaller = async (path: string, privilege: string) => {
      const { key } = await must(admin.send('post', '/v1/keys', {}), 201)
      const caller = callerOf(service, key)
      await change(admin, path, 'grant', [caller, privilege])
      return caller
    }
    const nobody = callerOf(service, '')
    await change(admin, '/v1/tables/r.t', 'grant', [nobody, 'select'])
    const table = { path: `${TABLES}/t`, ...BOTH }
    const lent = async (caller: Caller) => {
      const { config, ...rest } = await must(request(service, caller, table))
      const listed = await must(request(service, caller, { path: `${TABLES}/t/credentials` }))
      const found = [rest, listed].map((each) => each['storage-credentials']?.length ?? 0)
      return [...found, config['s3.remote-signing-enabled']]
    }
    const signed = [0, 0, 'true']
    for (const privilege of ['select', 'modify', 'own']) {
      expect(await lent(await newCaller('/v1/tables/r.t', privilege))).toEqual(signed)
    }
    expect(await lent(await newCaller('/v1', 'select'))).toEqual(signed)
    expect(await lent(nobody)).toEqual(signed)
    expect(await lent(await newCaller('/v1', 'modify'))).toEqual([1, 1, undefined])
    expect(await lent(admin)).toEqual([1, 1, undefined])
    // Nor does a creation lend them, or a repeated request of who had the privilege.
    const maker = await newCaller('/v1', 'modify')
    await change(admin, '/v1', 'grant', [maker, 'create'])
    const creation = {
      ...{ path: TABLES, json: { name: 'made', schema: SCHEMA }, ...BOTH },
      'Idempotency-Key': randomUUID(),
    }
    expect(await must(request(service, maker, creation))).toHaveProperty('storage-credentials')
    await change(admin, '/v1', 'revoke', [maker, 'modify'])
    const again = await must(request(service, maker, creation))
    expect(again).not.toHaveProperty('storage-credentials')
    expect(again.config['s3.remote-signing-enabled']).toBe('true')
  })
})
