import { createHash } from 'node:crypto'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { commitFiles } from './made-files.ts'
import { numbered, PlanClient, pathsOf } from './plan-client.ts'
import { type Json, must, refused, rest } from './rest-client.ts'

let service: TestService
let client: PlanClient
beforeAll(async () => {
  service = await startTestService({ allowedLocations: ['/nowhere'] })
  client = new PlanClient(service)
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

describe('pages', () => {
  const FILES = 4_321
  let uuid: string
  beforeAll(async () => {
    uuid = await client.makeTable('many')
    const added = Array.from({ length: FILES }, (_, i) => numbered(i))
    await commitFiles(service.deps, uuid, { added })
  })

  test('hold a thousand tasks at most, and together every file once', async () => {
    const planned = await client.plan('many')
    expect(planned.pages.length).toBe(5)
    expect(Math.max(...planned.pages.map((page) => page['file-scan-tasks'].length))).toBe(1_000)
    expect(new Set(pathsOf(planned)).size).toBe(FILES)
    expect(planned.tasks).toHaveLength(FILES)
    for (const page of planned.pages) expect(JSON.stringify(page).length).toBeLessThan(1.4e6)
  })

  test('are the same for a plan of yesterday, whatever was committed since', async () => {
    const first = await must(
      client.ask('many', { filter: { type: 'lt', term: 'id', value: 25_000 } }),
    )
    await commitFiles(service.deps, uuid, { added: [numbered(99_999), numbered(5_000)] })
    const planned = await client.follow('many', first)
    expect(planned.tasks).toHaveLength(2_500)
    expect(pathsOf(planned).at(-1)).toBe('part-002499')
  })

  test('are found by another replica', async () => {
    const first = await must(client.ask('many', {}))
    const other = await startTestService({ home: service.home, allowedLocations: ['/nowhere'] })
    try {
      const path = '/namespaces/sky/tables/many/tasks'
      const json = { 'plan-task': first['plan-tasks'][0] }
      expect(await must(rest(other, path, { json }))).toEqual(
        await must(rest(service, path, { json })),
      )
    } finally {
      await other.stop()
    }
  })

  test('of a schema id that is given again are not joined to those of before', async () => {
    const again = await client.makeTable('again')
    const added = Array.from({ length: 2_500 }, (_, i) => numbered(i))
    await commitFiles(service.deps, again, { added })
    const path = '/namespaces/sky/tables/again'
    const { metadata } = await must(rest(service, path))
    const [{ fields }] = metadata.schemas
    const commit = (...updates: Json[]) =>
      must(rest(service, path, { json: { requirements: [], updates } }))
    const renamed = (from: string, to: string): Json[] => {
      const named = fields.map((field: Json) =>
        field.name === from ? { ...field, name: to } : field,
      )
      return [
        { action: 'add-schema', schema: { type: 'struct', fields: named } },
        { action: 'set-current-schema', 'schema-id': -1 },
      ]
    }
    await commit(...renamed('id', 'number'))
    const first = await must(client.ask('again', {}))
    expect((await client.follow('again', first)).tasks).toHaveLength(2_500)
    await commit(
      { action: 'set-current-schema', 'schema-id': 0 },
      { action: 'remove-schemas', 'schema-ids': [1] },
    )
    await commit(...renamed('key', 'number'))
    const [status, type] = await refused(client.fetchTasks('again', first['plan-tasks'][0]))
    expect([status, type]).toEqual([404, 'NoSuchPlanTaskException'])
  })

  test('of a filter too long for a plan task keep more files, and lose none', async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => i)
    const filter = { type: 'in', term: 'id', values }
    const first = await must(client.ask('many', { filter }))
    const planned = await client.follow('many', first)
    expect(planned.tasks.length).toBeGreaterThanOrEqual(2_000)
    expect(new Set(pathsOf(planned)).has('part-001999')).toBe(true)
    expect(planned.tasks[0]['residual-filter']).toBeUndefined()
    const ids = planned.pages[0]['plan-id']
    expect(ids.length).toBeLessThan(8_000)
  })

  test('with wide statistics end at a megabyte', async () => {
    const wide = await client.makeTable('wide')
    const big = new Uint8Array(2_000)
    const added = Array.from({ length: 800 }, (_, i) =>
      numbered(i, { lowerBounds: new Map([[4, big]]), upperBounds: new Map([[4, big]]) }),
    )
    await commitFiles(service.deps, wide, { added })
    const planned = await client.plan('wide', { 'stats-fields': ['key'] })
    expect(planned.pages.length).toBeGreaterThan(5)
    for (const page of planned.pages) expect(JSON.stringify(page).length).toBeLessThan(1.2e6)
    expect(new Set(pathsOf(planned)).size).toBe(800)
  })
})

describe('a plan task that is not ours', () => {
  let token: string
  let uuid: string
  beforeAll(async () => {
    uuid = await client.makeTable('hostile')
    const added = Array.from({ length: 2_500 }, (_, i) => numbered(i))
    await commitFiles(service.deps, uuid, { added })
    token = (await must(client.ask('hostile', {})))['plan-tasks'][0]
  })

  const contentOf = (text: string): Json[] =>
    JSON.parse(Buffer.from(text, 'base64url').subarray(8).toString())
  const forge = (content: unknown) => {
    const bytes = Buffer.from(JSON.stringify(content))
    const digest = createHash('sha256').update(bytes).digest().subarray(0, 8)
    return Buffer.concat([digest, bytes]).toString('base64url')
  }
  const edited = (index: number, value: unknown) => forge(contentOf(token).with(index, value))

  test('is a 404, however it is damaged', async () => {
    const flipped = `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}`
    const texts = ['', 'x', '..', token.slice(0, -4), flipped, `${token}=`, 'A'.repeat(300_000)]
    for (const text of texts) {
      expect(await refused(client.fetchTasks('hostile', text))).toEqual([
        404,
        'NoSuchPlanTaskException',
        'The plan task does not exist',
      ])
    }
  })

  test('is a 404, however well it is forged', async () => {
    const forgeries = [
      forge(null),
      forge([]),
      forge({ length: 10 }),
      forge([...contentOf(token), 1]),
      edited(0, 1),
      edited(1, '00000000-0000-4000-8000-000000000000'),
      edited(1, null),
      edited(2, 5),
      edited(2, 'x'),
      edited(3, 5),
      edited(4, 99),
      edited(4, -1),
      edited(5, 'other'),
      edited(5, 1),
      edited(6, 'yes'),
      edited(7, Array(2_000).fill(1)),
      edited(7, ['id']),
      edited(8, { type: 'eq' }),
      edited(8, { type: 'eq', term: 'nix', value: 1 }),
      edited(9, null),
      edited(9, [-1, 0]),
      edited(9, [0]),
      edited(10, [0, 1e20]),
    ]
    for (const text of forgeries) {
      const [status, type] = await refused(client.fetchTasks('hostile', text))
      expect([status, type]).toEqual([404, 'NoSuchPlanTaskException'])
    }
  })

  test('may ask for any range of the plan, and gets no more than there is', async () => {
    const all = await client.follow(
      'hostile',
      await must(client.fetchTasks('hostile', edited(9, [0, 0]))),
    )
    expect(all.tasks).toHaveLength(2_000)
    for (const from of [
      [7, 0],
      [0, 2 ** 31 - 1],
      [2 ** 31 - 1, 0],
    ]) {
      const answer = await must(client.fetchTasks('hostile', edited(9, from)))
      expect(answer).toEqual({ 'file-scan-tasks': [] })
    }
    const beyond = await must(client.fetchTasks('hostile', edited(10, [2 ** 31 - 1, 5])))
    expect(beyond['file-scan-tasks']).toHaveLength(1_000)
  })

  test('of another table of this catalog is a 404', async () => {
    await client.makeTable('other')
    const [status, type] = await refused(client.fetchTasks('other', token))
    expect([status, type]).toEqual([404, 'NoSuchPlanTaskException'])
  })

  test('is a 400 when it is no text at all', async () => {
    for (const value of [undefined, null, 7, {}]) {
      expect((await refused(client.fetchTasks('hostile', value)))[0]).toBe(400)
    }
  })

  test('as a plan id is a 404, too', async () => {
    for (const id of ['x', edited(2, 5), `${token}A`]) {
      const path = `/namespaces/sky/tables/hostile/plan/${id}`
      for (const method of id === 'x' ? ['GET', 'DELETE'] : ['GET']) {
        const [status, type] = await refused(rest(service, path, { method }))
        expect([status, type]).toEqual([404, 'NoSuchPlanIdException'])
      }
    }
  })
})
