import { setTimeout as sleep } from 'node:timers/promises'
import { jest } from '@jest/globals'
import pino from 'pino'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { LEASE_MS } from '../../../src/core/limits.ts'
import { Lease } from '../../../src/lake/jobs/lease.ts'
import { refusal } from '../../refusal.ts'

let catalog: Catalog
let nowMs: number
let held: Lease[]
beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  nowMs = Date.UTC(2026, 10, 27)
  held = []
})
afterEach(async () => {
  for (const lease of held) await lease.release()
  await catalog.close()
})

let owners = 0
const ambient = {
  nowMs: () => nowMs,
  newUuid: () => `owner ${++owners}`,
  sleep: (ms: number) => sleep(Math.min(ms, 1)),
  random: () => 0.5,
}

async function tryAcquire(): Promise<Lease | undefined> {
  const deps = { catalog, ambient, log: pino({ level: 'silent' }) }
  const lease = await Lease.tryAcquire(deps, {
    name: 'dump x',
    signal: new AbortController().signal,
  })
  if (lease !== undefined) held.push(lease)
  return lease
}

async function mustAcquire(): Promise<Lease> {
  const lease = await tryAcquire()
  if (lease === undefined) throw new Error('it is held')
  return lease
}

test('a lease that another has taken is not confirmed, and its work is told to stop', async () => {
  const lease = await mustAcquire()
  nowMs += LEASE_MS + 1
  const other = await mustAcquire()
  expect(lease.signal.aborted).toBe(false)
  expect((await refusal(lease.confirm())).code).toBe('overloaded')
  expect(lease.signal.aborted).toBe(true)
  await other.confirm()
  expect(other.fencingToken).toBeGreaterThan(lease.fencingToken)
})

test('a confirmed lease is held for its whole length from then on', async () => {
  const lease = await mustAcquire()
  nowMs += LEASE_MS - 1
  await lease.confirm()
  nowMs += LEASE_MS - 1
  expect(await tryAcquire()).toBeUndefined()
  await lease.confirm()
  nowMs += LEASE_MS + 1
  await mustAcquire()
})

test('a lease that expired, but that nobody took, is ours again when it is confirmed', async () => {
  const lease = await mustAcquire()
  nowMs += 5 * LEASE_MS
  await lease.confirm()
  expect(await tryAcquire()).toBeUndefined()
})

test('a stopped holder is refused with the reason, and holds it no longer', async () => {
  const stop = new AbortController()
  const deps = { catalog, ambient, log: pino({ level: 'silent' }) }
  const wish = { name: 'dump x', signal: new AbortController().signal, stop: stop.signal }
  const lease = await Lease.acquire(deps, wish)
  held.push(lease)
  const reason = new Error('cancelled')
  stop.abort(reason)
  nowMs += LEASE_MS - 1
  await expect(lease.confirm()).rejects.toBe(reason)
  nowMs += 2
  await mustAcquire()
})

test('a lease counts from when it was asked for, however late the answer comes', async () => {
  const lateMs = jest.spyOn(performance, 'now')
  try {
    const { leases } = catalog
    const slow = Object.assign(Object.create(leases), {
      acquire: async (request: Parameters<typeof leases.acquire>[0]) => {
        const outcome = await leases.acquire(request)
        lateMs.mockReturnValue(performance.now() + LEASE_MS + 1)
        return outcome
      },
    })
    const deps = { catalog: { leases: slow }, ambient, log: pino({ level: 'silent' }) }
    const { signal } = new AbortController()
    const lease = await Lease.acquire(deps, { name: 'dump x', signal })
    held.push(lease)
    expect(lease.hasLapsed).toBe(true)
  } finally {
    lateMs.mockRestore()
  }
})
