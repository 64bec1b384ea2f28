import { ask } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { inPath, must, refusal, refused, rest, SCHEMA } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const make = (namespace: readonly string[], properties = {}) =>
  rest(service, '/namespaces', { json: { namespace, properties } })
const at = (...levels: readonly string[]) => `/namespaces/${inPath(...levels)}`
const list = async (query: string) => await must(rest(service, `/namespaces${query}`))

const ODD = [
  'dots.in.it',
  'slashes/in/it',
  'blanks in it',
  'größe 名前 🦊',
  '100%',
  'a%2Fb',
  'a+b',
  '..x',
  '%',
  'quotes\'"`',
  'semi;colon?and#hash&',
  '\\',
  ' x ',
]

test('a namespace is created, loaded, changed and dropped', async () => {
  const made = await must(make(['made'], { owner: 'Ada' }))
  expect(made).toEqual({ namespace: ['made'], properties: { owner: 'Ada' } })
  expect(await must(rest(service, at('made')))).toEqual(made)
  const json = { removals: ['owner', 'none', 'none'], updates: { colour: 'red' } }
  const changed = await must(rest(service, `${at('made')}/properties`, { json }))
  expect(changed).toEqual({ updated: ['colour'], removed: ['owner'], missing: ['none'] })
  expect((await must(rest(service, at('made')))).properties).toEqual({ colour: 'red' })
  expect((await rest(service, at('made'), { method: 'HEAD' })).status).toBe(204)
  await must(rest(service, at('made'), { method: 'DELETE' }), 204)
  const gone = await rest(service, at('made'), { method: 'HEAD' })
  expect([gone.status, gone.text]).toEqual([404, ''])
})

test.each([[[]], [['']], [['a', '']], [[' ']], [['a', ' \u3000']]])(
  'a namespace %j, with a level that says nothing, is not made',
  async (namespace) => {
    const listed = async () => (await must(rest(service, '/namespaces'))).namespaces
    const before = await listed()
    const { status, body } = await rest(service, '/namespaces', { json: { namespace } })
    expect([status, body.error.type]).toEqual([400, 'BadRequestException'])
    expect(await listed()).toEqual(before)
  },
)

test('refusals have the types and messages of the specification', async () => {
  await must(make(['taken']))
  expect(await refused(make(['taken']))).toEqual([
    409,
    'AlreadyExistsException',
    'Namespace already exists: taken',
  ])
  const none = [404, 'NoSuchNamespaceException', 'Namespace does not exist: none.such']
  expect(await refused(rest(service, at('none', 'such')))).toEqual(none)
  expect(await refused(rest(service, at('none', 'such'), { method: 'DELETE' }))).toEqual(none)
  expect(await refused(rest(service, `/namespaces?parent=${inPath('none', 'such')}`))).toEqual(none)
  expect(await refused(rest(service, `${at('none', 'such')}/tables`))).toEqual(none)
  expect(await refused(rest(service, `${at('none', 'such')}/functions`))).toEqual(none)
  const properties = (json: object) => rest(service, `${at('taken')}/properties`, { json })
  expect(await refusal(properties({ removals: ['a', 'b'], updates: { b: '1' } }))).toMatchObject({
    status: 422,
    type: 'UnprocessableEntityException',
  })
  expect(await refusal(properties({ updates: { a: 1 } }))).toMatchObject({ status: 400 })
  await must(rest(service, `${at('taken')}/tables`, { json: { name: 't', schema: SCHEMA } }))
  expect(await refused(rest(service, at('taken'), { method: 'DELETE' }))).toEqual([
    409,
    'NamespaceNotEmptyException',
    'Namespace taken is not empty',
  ])
  const empty = { status: 404, type: 'NoSuchNamespaceException' }
  expect(await refusal(rest(service, `${at('')}/tables`))).toMatchObject(empty)
  const inEmpty = { json: { name: 't', schema: SCHEMA } }
  expect(await refusal(rest(service, `${at('')}/tables`, inEmpty))).toMatchObject(empty)
  expect(await refusal(rest(service, at('a', '')))).toMatchObject(empty)
  for (const bad of [['\u0000'], ['a\u001fb'], ['x'.repeat(600)], 'a', [1], null]) {
    expect(await refusal(make(bad as string[]))).toMatchObject({
      status: 400,
      type: 'BadRequestException',
    })
  }
})

test('namespaces are listed level by level, all at once or in pages', async () => {
  for (const name of ['c', 'a', 'e', 'b', 'd']) await must(make(['list', name]))
  const parent = '?parent=list'
  const names = ['a', 'b', 'c', 'd', 'e'].map((name) => ['list', name])
  expect(await list(parent)).toEqual({ namespaces: names, 'next-page-token': null })
  expect((await list(`${parent}&pageSize=2`)).namespaces).toEqual(names)
  const pages: unknown[] = []
  for (let token: string | null = ''; token !== null; ) {
    const page = await list(`${parent}&pageSize=2&pageToken=${token}`)
    pages.push(page.namespaces)
    token = page['next-page-token']
  }
  expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)])
  expect((await list('?parent=')).namespaces).toContainEqual(['list'])
  expect((await list('')).namespaces).not.toContainEqual(['list', 'a'])
  for (const query of ['pageToken=x', 'pageToken=1zz', 'pageToken=1ffffff', 'pageSize=0']) {
    expect(await refusal(rest(service, `/namespaces?pageToken=&${query}`))).toMatchObject({
      status: 400,
    })
  }
})

test('names hold dots, slashes, blanks, percent signs and any script, exactly', async () => {
  await must(make(['odd']))
  for (const name of ODD) {
    const path = at('odd', name)
    expect((await must(make(['odd', name]))).namespace).toEqual(['odd', name])
    expect((await must(rest(service, path))).namespace).toEqual(['odd', name])
    await must(rest(service, `${path}/tables`, { json: { name, schema: SCHEMA } }))
    const loaded = await must(rest(service, `${path}/tables/${inPath(name)}`))
    expect((await must(rest(service, `${path}/tables`))).identifiers).toEqual([
      { namespace: ['odd', name], name },
    ])
    // In /v1 such a table has a UUID to be called by, and lists show it.
    const read = await ask(service, `/v1/tables/${loaded.metadata['table-uuid']}`)
    expect([read.status, read.body.name]).toEqual([200, name])
  }
  expect((await list('?parent=odd')).namespaces).toHaveLength(ODD.length)
  const listed = await ask(service, '/v1/tables?page_size=1000')
  expect(listed.status).toBe(200)
  const names = listed.body.tables.map((table: { name: string }) => table.name)
  expect(names).toEqual(expect.arrayContaining(ODD))
  for (let query = ''; ; ) {
    const { status, body } = await ask(service, `/v1/tables?page_size=1${query}`)
    expect(status).toBe(200)
    if (body.next_page_token === null) break
    query = `&page_token=${body.next_page_token}`
  }
})

test('a blank may come as a plus, as from Java', async () => {
  await must(make(['a b']))
  expect((await must(rest(service, '/namespaces/a+b'))).namespace).toEqual(['a b'])
  expect((await must(rest(service, '/namespaces/a%20b'))).namespace).toEqual(['a b'])
})

test('an address that is none is refused in the error model', async () => {
  for (const [path, method, status] of [
    ['/none', 'GET', 404],
    ['/namespaces/a/b/c', 'GET', 404],
    ['/namespaces/%ff', 'GET', 400],
    ['/namespaces/%00', 'GET', 400],
    ['/namespaces/a', 'PUT', 405],
    ['/config', 'POST', 405],
    ['', 'GET', 404],
  ] as const) {
    expect(await refusal(rest(service, path, { method }))).toMatchObject({ status })
  }
  const elsewhere = { Origin: 'http://evil.example' }
  const crossed = rest(service, '/namespaces', { json: { namespace: ['x'] }, headers: elsewhere })
  expect(await refusal(crossed)).toMatchObject({ status: 403, type: 'ForbiddenException' })
})
