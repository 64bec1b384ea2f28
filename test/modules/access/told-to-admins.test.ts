import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const OF_ACCESS = ['permissions', 'role', 'key'].map((kind) => `moraine.${kind}.changed.v1`)

let service: KeyedService
let admin: Caller
let reader: Caller

beforeAll(async () => {
  service = await startKeyedService()
  admin = service.admin
  reader = await service.newCaller({ '/v1': ['describe'] })
  const add = [reader.principal]
  for (let n = 0; n < 12; n++) {
    await must(admin.send('post', `/v1/roles/r${n}/members`, { add }))
    if (n % 4 === 0) await must(admin.send('post', '/v1/namespaces', { name: `n${n}` }), 201)
  }
})
afterAll(() => service.close())

const typesOf = (events: readonly Json[]) => events.map(({ type }) => type)

test('events of permissions, roles and keys are for administrators, in pages, too', async () => {
  const all = await must(admin.send('get', '/v1/events?limit=1000'))
  const others = all.events.filter(({ type }: Json) => !OF_ACCESS.includes(type))
  expect(others.length).toBeGreaterThanOrEqual(3)
  expect(all.events.length).toBeGreaterThan(others.length + 12)
  const seen: Json[] = []
  let after = '0'
  for (let pages = 0; pages < 50; pages++) {
    const page = await must(reader.send('get', `/v1/events?limit=1&after=${after}`))
    seen.push(...page.events)
    if (page.next_after === after) break
    after = page.next_after
  }
  expect(seen).toEqual(others)
  // What nobody shows moves the position on, all the same.
  expect(after).toBe(all.next_after)
})

test('whoever asks for such events by type or subject gets none, also by waiting', async () => {
  const query = `types=${OF_ACCESS.join(',')}`
  const told = await must(admin.send('get', `/v1/events?${query}`))
  expect(new Set(typesOf(told.events))).toEqual(new Set(OF_ACCESS))
  for (const asked of [query, 'subject=role:r1', `subject=${reader.principal}`]) {
    const { events, next_after } = await must(reader.send('get', `/v1/events?${asked}`))
    expect([asked, events, BigInt(next_after) > 0n]).toEqual([asked, [], true])
  }
  const waiting = reader.send('get', `/v1/events?after=latest&wait=20`)
  await must(admin.send('post', '/v1/roles/late/members', { add: [reader.principal] }))
  await must(admin.send('post', '/v1/namespaces', { name: 'late' }), 201)
  expect(typesOf((await must(waiting)).events)).toEqual(['moraine.namespace.created.v1'])
})

test('metrics name callers to administrators only', async () => {
  await service.deps.auditTrail.close()
  const whole = (await admin.send('get', '/metrics')).text
  expect(whole).toContain(`moraine_usage_requests_total{principal="${admin.principal}"`)
  const { status, text } = await reader.send('get', '/metrics')
  expect([status, text.includes('moraine_http_requests_total{')]).toEqual([200, true])
  expect(text).not.toMatch(/principal=|moraine_usage/)
  const names = (shown: string) => new Set(shown.match(/^# TYPE \w+/gm))
  const missing = [...names(whole)].filter((name) => !names(text).has(name))
  expect(missing).toEqual(
    ['moraine_usage_requests_total', 'moraine_usage_bytes_total'].map((name) => `# TYPE ${name}`),
  )
})
