import { ask, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

const MASK = { columns: [{ column: 'salary', action: 'mask-to-fixed-value' }] }
const widened = (name: string) => ({ changes: [{ op: 'widen', name, type: 'double' }] })

/** A table of uploads, whose columns are found by their ids, and one who may read it. */
async function make(name: string): Promise<{ readonly path: string; readonly reader: Caller }> {
  const { admin, url } = service
  const path = `/v1/tables/hr.${name}`
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'salary', type: 'long' },
  ]
  await must(admin.send('post', '/v1/tables', { name, namespace: 'hr', schema: { columns } }), 201)
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${admin.key}` }
  const body = 'id,salary\n1,4711\n'
  const sent = await fetch(`${url}${path}/files`, { method: 'POST', headers, body })
  expect(sent.status).toBe(201)
  return { path, reader: await service.newCaller({ [path]: ['select'] }) }
}

/** Everything that the reader gets of the rows. */
async function shownTo(reader: Caller, path: string): Promise<string> {
  const table = path.slice('/v1/tables/'.length)
  const headers = { Authorization: `Bearer ${reader.key}` }
  const answers = await Promise.all([
    ask(service, `${path}/rows`, { headers }),
    ask(service, `${path}/dump?format=csv`, { headers }),
    ask(service, '/v1/query', { method: 'POST', headers, json: { source: { table } } }),
    ask(service, '/v1/query', { method: 'POST', headers, json: { sql: `SELECT * FROM ${table}` } }),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  // Ids are of any digits, also of those that are looked for.
  const ids = /"(snapshot_id|table_uuid)":"[^"]*"/g
  return answers.map(({ text }) => text.replaceAll(ids, '')).join('\n')
}

test('a mask stays on a column that is converted, and renamed then', async () => {
  const { path, reader } = await make('converted')
  const { admin } = service
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  expect(await shownTo(reader, path)).not.toContain('4711')
  await must(admin.send('post', `${path}/schemas`, widened('salary')))
  expect(await shownTo(admin, path)).toContain('4711')
  expect(await shownTo(reader, path)).not.toContain('4711')
  const rename = { changes: [{ op: 'rename', name: 'salary', to: 'pay' }] }
  await must(admin.send('post', `${path}/schemas`, rename))
  expect(await shownTo(reader, path)).not.toContain('4711')
})

test('a mask of a converted column stays on it after a rollback to what it was', async () => {
  const { path, reader } = await make('back')
  const { admin } = service
  const { snapshot } = await must(admin.send('get', path))
  await must(admin.send('post', `${path}/schemas`, widened('salary')))
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  expect(await shownTo(reader, path)).not.toContain('4711')
  const { snapshot_id } = snapshot
  await must(admin.send('post', `${path}/rollback`, { snapshot_id }))
  expect(await shownTo(admin, path)).toContain('4711')
  expect(await shownTo(reader, path)).not.toContain('4711')
})

test('where a mask does not fit the converted column, nothing is shown', async () => {
  const { path, reader } = await make('again')
  const { admin } = service
  const fixed = { columns: [{ column: 'salary', action: 'sha-256-global' }] }
  await must(admin.send('put', `${path}/policy`, { ...fixed, except: [admin.principal] }))
  await must(admin.send('post', `${path}/schemas`, widened('salary')))
  const refused = await reader.send('get', `${path}/rows`)
  expect([refused.status, refused.body.type]).toEqual([403, '/problems/table-restricted'])
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  expect(await shownTo(reader, path)).not.toContain('4711')
})

test('a mask stays on a column that is renamed and converted at once', async () => {
  const { path, reader } = await make('both')
  const { admin } = service
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  const changes = [
    { op: 'rename', name: 'salary', to: 'pay' },
    { op: 'widen', name: 'pay', type: 'double' },
  ]
  await must(admin.send('post', `${path}/schemas`, { changes }))
  expect(await shownTo(admin, path)).toContain('4711')
  expect(await shownTo(reader, path)).not.toContain('4711')
})

const BOTH = [
  { op: 'rename', name: 'salary', to: 'pay' },
  { op: 'widen', name: 'pay', type: 'double' },
]
const NO_ALIASES = { op: 'aliases', name: 'pay', aliases: [] }

/** What an engine commits; returns the metadata of the table then. */
async function commit(path: string, updates: readonly object[]) {
  const table = path.slice('/v1/tables/hr.'.length)
  const at = `/iceberg/v1/namespaces/hr/tables/${table}`
  const reply = await must(service.admin.send('post', at, { requirements: [], updates }))
  return reply.metadata
}

test('nor does it go with the alias, in that change or a later one', async () => {
  const { admin } = service
  for (const [name, ...requests] of [
    ['atOnce', [...BOTH, NO_ALIASES]],
    ['later', BOTH, [NO_ALIASES]],
  ] as const) {
    const { path, reader } = await make(name)
    await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
    for (const changes of requests) await must(admin.send('post', `${path}/schemas`, { changes }))
    const { columns } = (await must(admin.send('get', path))).schema
    expect(columns.map((each: { aliases: unknown }) => each.aliases)).toEqual([[], []])
    expect(await shownTo(admin, path)).toContain('4711')
    expect(await shownTo(reader, path)).not.toContain('4711')
  }
})

test('nor where an engine takes the alias away, and what the service wrote down', async () => {
  const { path, reader } = await make('engine')
  const { admin } = service
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  await must(admin.send('post', `${path}/schemas`, { changes: BOTH }))
  const written = 'moraine.related-columns'
  const { properties } = await commit(path, [
    { action: 'remove-properties', removals: ['moraine.column-aliases', written] },
    { action: 'set-properties', updates: { [written]: '[]' } },
  ])
  expect(properties).not.toHaveProperty('moraine.column-aliases')
  expect(properties[written]).toBe('[[2,3]]')
  // Another column may have the name now, and is none of it.
  const added = [{ op: 'add', column: { name: 'salary', type: 'string' } }]
  await must(admin.send('post', `${path}/schemas`, { changes: added }))
  expect(await shownTo(reader, path)).not.toContain('4711')
})

test('nor with a schema that an engine removes', async () => {
  const { path, reader } = await make('expired')
  const { admin, url } = service
  await must(admin.send('put', `${path}/policy`, { ...MASK, except: [admin.principal] }))
  await must(admin.send('post', `${path}/schemas`, widened('salary')))
  const between = await must(admin.send('get', path))
  const [id, salary] = (await commit(path, [])).schemas[1].fields
  const fields = [id, { ...salary, name: 'pay' }]
  await commit(path, [
    { action: 'add-schema', schema: { type: 'struct', fields }, 'last-column-id': salary.id },
    { action: 'set-current-schema', 'schema-id': -1 },
  ])
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${admin.key}` }
  const sent = { method: 'POST', headers, body: 'id,pay\n2,4712\n' }
  expect((await fetch(`${url}${path}/files`, sent)).status).toBe(201)
  const snapshots = [Number(between.snapshot.snapshot_id)]
  const left = await commit(path, [
    { action: 'remove-snapshots', 'snapshot-ids': snapshots },
    { action: 'remove-schemas', 'schema-ids': [1] },
  ])
  expect(
    left.schemas.map((schema: object) => 'schema-id' in schema && schema['schema-id']),
  ).toEqual([0, 2])
  expect(await shownTo(admin, path)).toContain('4712')
  expect(await shownTo(reader, path)).not.toMatch(/471[12]/)
})

test('a rollback knows of the conversion when the alias has gone', async () => {
  const { path } = await make('undone')
  const { admin } = service
  const { snapshot } = await must(admin.send('get', path))
  await must(admin.send('post', `${path}/schemas`, { changes: [...BOTH, NO_ALIASES] }))
  const { snapshot_id } = snapshot
  await must(admin.send('post', `${path}/rollback`, { snapshot_id }))
  expect(await shownTo(admin, path)).toContain('4711')
})
