import { newKeyText } from '../../../src/modules/access/key-text.ts'
import { AuditTrail } from '../../../src/modules/audit/audit-trail.ts'
import type { NotedRequest } from '../../../src/modules/audit/noted-request.ts'
import { UNSIGNED, UnsignedRequests } from '../../../src/modules/audit/unsigned-requests.ts'
import { ask, type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from './until-audited.ts'

function refusal(overrides: Partial<NotedRequest & { action: string; name: string }> = {}) {
  const { action = 'readTable', name = 'sky.planets', ...rest } = overrides
  return {
    facts: {
      ...{ rowId: `${action} ${name}`, timeMs: 1, principal: 'anonymous', action, kind: 'table' },
      ...{ subject: '', name, decision: 'unauthenticated' as const },
    },
    target: { on: 'table' as const, name },
    ...{ requestId: 'r', path: `/v1/tables/${name}`, address: '192.0.2.7', status: 401, ...rest },
  }
}

describe('refusals of who did not sign in', () => {
  test('share a row by address and action, at once and then a minute long', () => {
    let now = 0
    const requests = new UnsignedRequests(() => now)
    const take = () =>
      requests
        .take({ isLast: false })
        .map(({ facts, count, path, address }) => [facts.action, facts.name, count, path, address])
    requests.note(refusal())
    expect(take()).toEqual([['readTable', 'sky.planets', 1, '/v1/tables/sky.planets', '192.0.2.7']])
    for (let n = 0; n < 1_000; n++) requests.note(refusal({ name: `invented.n${n}` }))
    requests.note(refusal({ action: 'readRows' }))
    expect(take()).toEqual([['readRows', 'sky.planets', 1, '/v1/tables/sky.planets', '192.0.2.7']])
    now = 59_999
    expect([take(), requests.pendingRows]).toEqual([[], 1])
    now = 60_000
    expect(take()).toEqual([['readTable', '', 1_000, undefined, '192.0.2.7']])
    expect([take(), requests.pendingRows]).toEqual([[], 0])
  })

  test('of one address take the rows of no other, whatever it tries', () => {
    const requests = new UnsignedRequests(() => 0)
    for (let n = 0; n < 1_000; n++) requests.note(refusal({ action: `action${n}` }))
    requests.note(refusal({ address: '203.0.113.9' }))
    const rows = requests.take({ isLast: false })
    expect(rows.map(({ facts, address, count }) => [facts.action, address, count])).toEqual([
      ...[0, 1, 2, 3, 4].map((n) => [`action${n}`, '192.0.2.7', 1]),
      [UNSIGNED, '192.0.2.7', 995],
      ['readTable', '203.0.113.9', 1],
    ])
  })

  test('of more addresses than have rows share one, and none is lost', () => {
    let now = 0
    const requests = new UnsignedRequests(() => now)
    for (let n = 0; n < 5_000; n++) {
      requests.note(refusal({ address: `198.51.${n >> 8}.${n & 255}` }))
    }
    const rows = requests.take({ isLast: false })
    expect(rows).toHaveLength(101)
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(5_000)
    expect(rows.at(-1)).toMatchObject({ facts: { action: UNSIGNED }, address: undefined })
    // Whoever has an address of IPv6 has a network of them.
    now = 120_000
    requests.take({ isLast: false })
    for (let n = 0; n < 500; n++) {
      requests.note(refusal({ address: `2001:db8::${n.toString(16)}` }))
    }
    expect(requests.take({ isLast: true })).toMatchObject([
      { count: 500, address: '2001:db8:0:0::/64' },
    ])
  })
})

describe('refusals that could not be written', () => {
  test('are counted at the stop, those of who did not sign in, too', async () => {
    const warnings: unknown[] = []
    const trail = new AuditTrail({
      catalog: { audit: { add: () => Promise.reject(new Error('gone')) } } as never,
      ambient: { nowMs: () => 1, newUuid: () => 'row' },
      log: { warn: (...told: unknown[]) => warnings.push(told) } as never,
    })
    const ended = (principal: string, status: number) =>
      trail.ended({
        ...{ route: undefined, principal, toldPrincipal: principal, requestId: 'r', status },
        ...{ address: '192.0.2.7', method: 'GET', path: '/', asked: [], refused: undefined },
        ...{ bytesReceived: 1, bytesSent: 1 },
      })
    ended('key:k3v9x2m1q8z7', 403)
    await trail.flush()
    ended('anonymous', 401)
    await trail.close()
    expect(warnings.at(-1)).toEqual([{ rows: 2 }, expect.stringContaining('lost')])
  })
})

describe('a flood of credentials that are none', () => {
  const REQUESTS = 3_000
  let service: KeyedService
  let reader: Caller
  beforeAll(async () => {
    service = await startKeyedService()
    const schema = { columns: [{ name: 'id', type: 'long' }] }
    await must(service.admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
    reader = await service.newCaller({ '/v1/tables/sky.planets': ['select'] })
    await untilAudited(service)
  })
  afterAll(() => service.close())

  test('adds a few rows to the audit and to usage, and crowds no read out', async () => {
    const { catalog } = service.deps
    const rows = async () => (await catalog.audit.list({ limit: 100_000 })).length
    const before = await rows()
    const statuses = new Set<number>()
    const send = async (n: number) => {
      // Of the right form and checksum, and of nobody.
      const headers = n % 2 === 0 ? {} : { Authorization: `Bearer ${newKeyText().text}` }
      statuses.add((await ask(service, `/v1/tables/random.n${n}`, { headers })).status)
    }
    for (let n = 0; n < REQUESTS; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => send(n + i)))
      if (n % 500 === 0) await must(reader.send('get', '/v1/tables/sky.planets'))
    }
    expect([...statuses]).toEqual([401])
    await untilAudited(service)
    const reads = REQUESTS / 500
    expect((await rows()) - before).toBeLessThanOrEqual(reads + 2)
    const { audit_logs: read } = await must(
      service.admin.send('get', `/v1/audit-logs?principal=${reader.principal}&decision=allowed`),
    )
    expect(read.map(({ action }: Json) => action)).toEqual(Array(reads).fill('readTable'))
    const { audit_logs: lost } = await must(
      service.admin.send('get', '/v1/audit-logs?action=audit.lost'),
    )
    expect(lost).toEqual([])
    await service.deps.auditTrail.close()
    const { usage } = await must(service.admin.send('get', '/v1/usage'))
    const principals = new Set(usage.map(({ principal }: Json) => principal))
    expect(principals).toEqual(new Set([service.admin.principal, reader.principal, 'anonymous']))
    const counts = await catalog.audit.list({ decisions: ['unauthenticated'], limit: 100 })
    const told = counts.reduce((sum, { content }) => sum + JSON.parse(content).count, 0)
    expect(told).toBe(REQUESTS)
  })

  test('the audit is asked for decisions, one or several', async () => {
    await reader.send('delete', '/v1/tables/sky.planets')
    const asked = async (decision: string) => {
      const path = `/v1/audit-logs?page_size=1000&decision=${decision}`
      const { audit_logs } = await must(service.admin.send('get', path))
      return new Set(audit_logs.map((log: Json) => log.decision))
    }
    expect(await asked('allowed')).toEqual(new Set(['allowed']))
    expect(await asked('unauthenticated,allowed')).toEqual(new Set(['allowed', 'unauthenticated']))
    const bad = await service.admin.send('get', '/v1/audit-logs?decision=maybe')
    expect(bad.status).toBe(400)
  })
})
