import { randomUUID } from 'node:crypto'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { rest } from '../iceberg-rest/http/rest-client.ts'

const NAMESPACES = '/v1/namespaces'
const COLUMNS = { columns: [{ name: 'n', type: 'long' }] }

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

function patch(name: string, properties: Readonly<Record<string, string | null>>) {
  return ask(service, `${NAMESPACES}/${name}`, { method: 'PATCH', json: { properties } })
}

function drop(name: string) {
  return ask(service, `${NAMESPACES}/${name}`, { method: 'DELETE' })
}

async function namesOf(query = ''): Promise<readonly string[]> {
  const { namespaces } = await must(ask(service, NAMESPACES + query))
  return namespaces.map(({ name }: { readonly name: string }) => name)
}

test('a namespace is created with its parents, described, changed and dropped', async () => {
  const created = await post(service, NAMESPACES, { name: 'sky.deep', properties: { owner: 'a' } })
  const deep = { name: 'sky.deep', levels: ['sky', 'deep'] }
  expect([created.status, created.body]).toEqual([201, { ...deep, properties: { owner: 'a' } }])
  const location = String(created.headers.get('location'))
  expect(await must(ask(service, location))).toEqual(created.body)
  expect(await namesOf()).toContain('sky')
  expect(await namesOf('?parent=sky')).toEqual(['sky.deep'])
  const changed = await must(patch('sky.deep', { owner: null, kept: '2', gone: null }))
  expect(changed).toEqual({ ...deep, properties: { kept: '2' } })
  expect(await must(ask(service, location))).toEqual(changed)
  expect(await must(drop('sky.deep'))).toEqual(deep)
  expect((await ask(service, location)).status).toBe(404)
  expect(await namesOf('?parent=sky')).toEqual([])
})

test('what a namespace holds keeps it', async () => {
  await must(post(service, '/v1/tables', { name: 'full.t', schema: COLUMNS }), 201)
  await must(post(service, NAMESPACES, { name: 'above.below' }), 201)
  for (const name of ['full', 'above']) {
    const refused = await drop(name)
    expect([refused.status, refused.body.type]).toEqual([409, '/problems/namespace-not-empty'])
  }
  await must(ask(service, '/v1/tables/full.t', { method: 'DELETE' }))
  await must(drop('full'))
})

test('names compare without case, and those that are none are refused', async () => {
  await must(post(service, NAMESPACES, { name: 'Mixed' }), 201)
  const again = await post(service, NAMESPACES, { name: 'mIXED' })
  expect([again.status, again.body.type]).toEqual([409, '/problems/namespace-already-exists'])
  expect((await must(ask(service, `${NAMESPACES}/mixed`))).name).toBe('Mixed')
  for (const name of ['', ' ', 'a..b', 'a b', '.', 'x'.repeat(200)]) {
    const refused = await post(service, NAMESPACES, { name })
    expect([refused.status, refused.body.type]).toEqual([400, '/problems/name-invalid'])
  }
  const missing = await ask(service, `${NAMESPACES}?parent=nowhere`)
  expect([missing.status, missing.body.type]).toEqual([404, '/problems/namespace-not-found'])
  expect((await patch('nowhere', { a: 'b' })).status).toBe(404)
  expect((await drop('nowhere')).status).toBe(404)
})

test('what was made over Iceberg REST is shown, changed and dropped here, too', async () => {
  const rest = { namespace: ['Mit Leerzeichen é'], properties: { a: '1' } }
  await must(post(service, '/iceberg/v1/namespaces', rest))
  const path = encodeURIComponent('Mit Leerzeichen é')
  expect((await must(ask(service, `${NAMESPACES}/${path}`))).properties).toEqual({ a: '1' })
  expect((await must(patch(path, { a: '2' }))).properties).toEqual({ a: '2' })
  const there = await must(ask(service, `/iceberg/v1/namespaces/${path}`))
  expect(there.properties).toEqual({ a: '2' })
  await must(drop(path))
})

test('lists come in pages', async () => {
  const names = ['p.a', 'p.b', 'p.c']
  for (const name of names) await must(post(service, NAMESPACES, { name }), 201)
  const first = await must(ask(service, `${NAMESPACES}?parent=p&page_size=2`))
  expect(first.namespaces.map(({ name }: { name: string }) => name)).toEqual(['p.a', 'p.b'])
  const token = `&page_token=${first.next_page_token}`
  const second = await must(ask(service, `${NAMESPACES}?parent=p&page_size=2${token}`))
  expect(second).toEqual({
    namespaces: [{ name: 'p.c', levels: ['p', 'c'] }],
    next_page_token: null,
  })
})

test('a repeated change is told what the first was, also when another came between', async () => {
  await must(post(service, NAMESPACES, { name: 'raced', properties: { old: '1' } }), 201)
  const { namespaces } = service.deps.catalog
  const { updateProperties } = namespaces
  const another = (removals: string[], updates: Record<string, string>) => {
    namespaces.updateProperties = async (...change) => {
      namespaces.updateProperties = updateProperties
      await updateProperties({ levels: ['raced'], updates, removals })
      return updateProperties(...change)
    }
  }
  const headers = { 'Idempotency-Key': randomUUID() }
  const json = { properties: { mine: '1' } }
  const change = () => ask(service, `${NAMESPACES}/raced`, { method: 'PATCH', json, headers })
  another(['old'], { theirs: '1' })
  const changed = await must(change())
  expect(changed.properties).toEqual({ mine: '1', theirs: '1' })
  expect(await must(change())).toEqual(changed)
  const removals = { json: { removals: ['theirs'] }, headers: { 'Idempotency-Key': randomUUID() } }
  const remove = () => rest(service, '/namespaces/raced/properties', removals)
  another(['theirs'], {})
  const removed = await must(remove())
  expect(removed).toEqual({ updated: [], removed: [], missing: ['theirs'] })
  expect(await must(remove())).toEqual(removed)
})
