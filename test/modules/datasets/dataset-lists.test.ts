import { type Json, must } from '../../http/client.ts'
import {
  type Caller,
  callerOf,
  type KeyedService,
  startKeyedService,
} from '../access/keyed-service.ts'

const NAMES = ['a-hid', 'b-all', 'c-both', 'd-dropped', 'e-published']

let service: KeyedService
let owner: Caller
beforeEach(async () => {
  service = await startKeyedService()
  const { admin } = service
  for (const name of ['hid', 'all', 'gone']) {
    const schema = { columns: [{ name: 'name', type: 'string' }] }
    await must(admin.send('post', '/v1/tables', { name, namespace: 'sky', schema }), 201)
    const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${admin.key}` }
    const to = `${service.url}${onTable(name)}/files`
    expect((await fetch(to, { method: 'POST', headers, body: 'name\nX\nY\n' })).status).toBe(201)
  }
  owner = await service.newCaller({ '/v1/namespaces/sky': ['own'] })
})
afterEach(() => service.close())

const onTable = (name: string) => `/v1/tables/sky.${name}`

async function make(name: string, wish: object): Promise<void> {
  await must(owner.send('post', '/v1/datasets', { name, ...wish }), 201)
}

async function listed(caller: Caller, pageSize = 10): Promise<readonly string[]> {
  const names: string[] = []
  for (let token = ''; ; ) {
    const after = token === '' ? '' : `&page_token=${token}`
    const page = await must(caller.send('get', `/v1/datasets?page_size=${pageSize}${after}`))
    names.push(...page.datasets.map(({ name }: Json) => name))
    if (page.next_page_token === null) return names
    // A page that is not the last is full: what is withheld takes no place in it.
    expect(page.datasets).toHaveLength(pageSize)
    token = page.next_page_token
  }
}

async function got(caller: Caller): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of NAMES) {
    if ((await caller.send('get', `/v1/datasets/${name}`)).status === 200) found.push(name)
  }
  return found
}

test('the list shows what GET of one shows, and neither card nor filter of any other', async () => {
  const { admin, newCaller } = service
  const selected = ['hid', 'all', 'gone'].map((name) => [onTable(name), ['select']] as const)
  const reader = await newCaller(Object.fromEntries(selected))
  const describing = await newCaller({ '/v1/namespaces/sky': ['describe'] })
  const ofCatalog = await newCaller({ '/v1': ['select'] })
  const tellsOfCatalog = await newCaller({ '/v1': ['describe'] })
  const scoped = await must(admin.send('post', '/v1/keys', { scopes: ['describe'] }), 201)
  const short = callerOf(service, scoped.key)
  const grant = [{ principal: short.principal, privilege: 'own' }]
  await must(admin.send('post', '/v1/permissions', { grant }))
  const policy = { row_filter: "name <> 'X'", except: [owner.principal] }
  await must(admin.send('put', `${onTable('hid')}/policy`, policy))
  await make('a-hid', { query: { source: { table: 'sky.hid' }, filter: "name = 'X'" } })
  await make('b-all', { source: { table: 'sky.all' } })
  await make('c-both', { sql: 'SELECT a.name FROM sky.all a, sky.hid b' })
  await make('d-dropped', { source: { table: 'sky.gone' } })
  await make('e-published', { query: { source: { table: 'sky.hid' }, columns: ['name'] } })
  await must(owner.send('post', '/v1/datasets/e-published/1/publish'))
  const drop = () => must(owner.send('delete', onTable('gone')))
  const seen = async () => {
    const told: Json = {}
    for (const [who, caller] of Object.entries({
      ...{ owner, admin, reader, describing, ofCatalog, tellsOfCatalog, short },
    })) {
      told[who] = await listed(caller)
      expect([who, told[who]]).toEqual([who, await got(caller)])
      expect(await listed(caller, 1)).toEqual(told[who])
    }
    return told
  }
  const before = await seen()
  expect(before).toMatchObject({
    owner: NAMES,
    reader: ['b-all', 'd-dropped'],
    ...{ describing: [], tellsOfCatalog: [], short: [] },
    ofCatalog: ['b-all', 'd-dropped', 'e-published'],
    admin: ['b-all', 'd-dropped', 'e-published'],
  })
  await drop()
  expect(await seen()).toEqual(before)
})
