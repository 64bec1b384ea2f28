import { readdir } from 'node:fs/promises'
import { must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(service.admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
})
afterAll(() => service.close())

/** An upload of whose body the half is sent before `between`, and the rest after. */
async function upload({ key }: Caller, query: string, between: () => Promise<unknown>) {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from(`id\n${'1\n'.repeat(100_000)}`)),
    pull: async (controller) => {
      await between()
      controller.enqueue(Buffer.from('2\n'))
      controller.close()
    },
  })
  const response = await fetch(`${service.url}${TABLE}/files${query}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'text/csv' },
    body,
    duplex: 'half',
  } as RequestInit)
  return { status: response.status, body: (await response.json()) as { type?: string } }
}

async function stateOf() {
  const { location } = await must(service.admin.send('get', TABLE))
  const folder = new URL(`${location}/data`)
  const found = await readdir(folder, { recursive: true }).catch(() => [])
  const files = found.filter((path) => path.endsWith('.parquet'))
  const { snapshots } = await must(service.admin.send('get', `${TABLE}/snapshots`))
  return { files: files.sort(), snapshots: snapshots.length }
}

const keyOf = ({ principal }: Caller) => `/v1/keys/${principal.slice('key:'.length)}`
const revoke = (caller: Caller) => {
  const grants = [{ principal: caller.principal, privilege: 'modify' }]
  return must(service.admin.send('post', `${TABLE}/permissions`, { revoke: grants }))
}

test.each([
  ['of a right that was taken away', revoke, [404, '/problems/table-not-found']],
  [
    'of a key that was revoked',
    (caller: Caller) => must(service.admin.send('delete', keyOf(caller))),
    [401, '/problems/credential-invalid'],
  ],
  [
    'to a name that became another table’s',
    async () => {
      await must(service.admin.send('post', `${TABLE}/rename`, { name: 'away' }))
      await must(service.admin.send('post', '/v1/tables/sky.away/rename', { name: 'planets' }))
    },
    [201, undefined],
  ],
] as const)('an upload %s while it was sent', async (_, between, expected) => {
  const before = await stateOf()
  const caller = await service.newCaller({ [TABLE]: ['modify'] })
  const { status, body } = await upload(caller, '', () => between(caller))
  expect([status, body.type]).toEqual(expected)
  if (status !== 201) expect(await stateOf()).toEqual(before)
})

test('what was sent for a transaction is not staged either', async () => {
  const before = await stateOf()
  const caller = await service.newCaller({ [TABLE]: ['modify'] })
  const { transaction_id } = await must(caller.send('post', '/v1/transactions/start', {}), 201)
  const query = `?transaction_id=${transaction_id}`
  const { status } = await upload(caller, query, () => revoke(caller))
  expect(status).toBe(404)
  expect(await stateOf()).toEqual(before)
})
