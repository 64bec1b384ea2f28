import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(post(service, '/v1/namespaces', { name: 'attic' }), 201)
})
afterAll(() => service.close())

const SCHEMA = { columns: [{ name: 'id', type: 'long' }] }
const QUERIES = [{ dialect: 'duckdb', sql: 'SELECT 1' }]
const THINGS = [
  ['tables', 'table', { schema: SCHEMA }],
  ['views', 'view', { queries: QUERIES }],
] as const

describe.each(THINGS)('%s', (folder, kind, body) => {
  const path = (name: string) => `/v1/${folder}/${name}`
  const create = (name: string) => must(post(service, `/v1/${folder}`, { name, ...body }), 201)
  const rename = (name: string, json: object) => post(service, `${path(name)}/rename`, json)

  test('one keeps its id under a new name, the old one is free, and an event tells', async () => {
    const before = await create(`sky.${kind}_a`)
    const id = `${kind}_id`
    const renamed = await must(rename(`sky.${kind}_a`, { name: `${kind}_b` }))
    expect(renamed).toMatchObject({ [id]: before[id], identifier: `sky.${kind}_b` })
    expect(await must(ask(service, path(`sky.${kind}_b`)))).toMatchObject({ [id]: before[id] })
    expect((await ask(service, path(`sky.${kind}_a`))).status).toBe(404)
    await create(`sky.${kind}_a`)
    const types = `types=moraine.${kind}.renamed.v1`
    const { events } = await must(ask(service, `/v1/events?subject=${before[id]}&${types}`))
    expect(events[0].data).toMatchObject({
      ...{ namespace: ['sky'], name: `${kind}_b` },
      before: { namespace: ['sky'], name: `${kind}_a` },
    })
  })

  test('it goes into another namespace only if that is there', async () => {
    await create(`sky.${kind}_c`)
    const missing = await rename(`sky.${kind}_c`, { name: 'c', namespace: 'cellar' })
    expect(missing.body).toMatchObject({
      ...{ type: '/problems/namespace-not-found', status: 404, namespace: 'cellar' },
      detail: expect.stringMatching(/^Namespace does not exist: cellar; .*POST \/v1\/namespaces$/),
    })
    expect(await must(rename(`sky.${kind}_c`, { name: `attic.${kind}_c` }))).toMatchObject({
      ...{ namespace: 'attic', name: `${kind}_c` },
    })
  })

  test('over Iceberg REST, too, as clients know it', async () => {
    await create(`sky.${kind}_r`)
    const json = {
      source: { namespace: ['sky'], name: `${kind}_r` },
      destination: { namespace: ['cellar'], name: `${kind}_r` },
    }
    const missing = await post(service, `/iceberg/v1/${folder}/rename`, json)
    expect(missing.body.error).toMatchObject({
      ...{ code: 404, type: 'NoSuchNamespaceException' },
      message: expect.stringMatching(
        /^Namespace does not exist: cellar; .*iceberg\/v1\/namespaces$/,
      ),
    })
  })

  test('only those of a namespace that is there are listed', async () => {
    const missing = await ask(service, `/v1/${folder}?namespace=cellar`)
    expect(missing.body).toMatchObject({ status: 404, namespace: 'cellar' })
    expect(await must(ask(service, `/v1/${folder}?namespace=attic`))).toBeDefined()
    expect(await must(ask(service, `/v1/${folder}?namespace=default`))).toMatchObject({
      [folder]: [],
    })
  })

  test('a name that is taken, or no name, changes nothing', async () => {
    await create(`sky.${kind}_d`)
    await must(post(service, '/v1/tables', { name: `sky.${kind}_t`, schema: SCHEMA }), 201)
    await must(post(service, '/v1/views', { name: `sky.${kind}_v`, queries: QUERIES }), 201)
    for (const name of [`${kind}_t`, `${kind}_v`, `${kind}_d`]) {
      const { body: problem } = await rename(`sky.${kind}_d`, { name })
      expect([name, problem.type]).toEqual([name, `/problems/${kind}-already-exists`])
    }
    expect((await rename(`sky.${kind}_d`, { name: 'a b' })).body.type).toBe(
      '/problems/name-invalid',
    )
    expect((await rename('sky.nothing', { name: 'x' })).body.type).toBe(
      `/problems/${kind}-not-found`,
    )
    expect((await ask(service, path(`sky.${kind}_d`))).status).toBe(200)
  })

  test('of two renames at once to one name, one wins', async () => {
    await create(`sky.${kind}_e`)
    await create(`sky.${kind}_f`)
    const answers = await Promise.all(
      ['e', 'f'].map((last) => rename(`sky.${kind}_${last}`, { name: `${kind}_won` })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  })
})
