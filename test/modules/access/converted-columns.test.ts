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
  return answers.map(({ text }) => text).join('\n')
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
