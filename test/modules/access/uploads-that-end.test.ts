import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(service.admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
})
afterAll(() => service.close())

interface Sent {
  readonly path: string
  readonly type: string
  /** The half of the body that is sent before something happens, and the other. */
  readonly halves: readonly [string, string]
}

async function send({ key }: Caller, sent: Sent, between: () => Promise<unknown>) {
  const [first, second] = sent.halves
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from(first)),
    pull: async (controller) => {
      await between()
      controller.enqueue(Buffer.from(second))
      controller.close()
    },
  })
  const response = await fetch(`${service.url}${TABLE}${sent.path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': sent.type },
    body,
    duplex: 'half',
  } as RequestInit)
  return { status: response.status, body: (await response.json()) as { type?: string } }
}

function upload(caller: Caller, query: string, between: () => Promise<unknown>) {
  const halves = [`id\n${'1\n'.repeat(100_000)}`, '2\n'] as const
  return send(caller, { path: `/files${query}`, type: 'text/csv', halves }, between)
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

/** What names files, or all of them, by a JSON body. */
const NAMING = [
  ['', () => ({ files: [{ path: join(service.dataFolder, 'new.parquet') }] })],
  ['/remove', (own: string) => ({ files: [{ path: own }] })],
  ['/truncate', () => ({})],
] as const

describe.each(NAMING)('files%s', (path, json) => {
  test.each([
    ['commits', false],
    ['stages', true],
  ])('%s nothing by a right that was taken away while its body was sent', async (_, isStaged) => {
    const { admin, dataFolder } = service
    await writeParquet(join(dataFolder, 'new.parquet'), 'SELECT 7::BIGINT AS id')
    await upload(admin, '', async () => undefined)
    const { data_files } = await must(admin.send('get', TABLE))
    const before = await stateOf()
    const caller = await service.newCaller({ [TABLE]: ['modify'] })
    const { transaction_id } = await must(caller.send('post', '/v1/transactions/start', {}), 201)
    const body = { ...json(data_files[0].path), ...(isStaged && { transaction_id }) }
    const halves = [' '.repeat(1000), JSON.stringify(body)] as const
    const sent = { path: `/files${path}`, type: 'application/json', halves }
    const { status, body: told } = await send(caller, sent, () => revoke(caller))
    expect([status, told.type]).toEqual([404, '/problems/table-not-found'])
    expect(await stateOf()).toEqual(before)
    const { staged } = await must(admin.send('get', `/v1/transactions/${transaction_id}`))
    expect(staged).toEqual([])
  })
})
