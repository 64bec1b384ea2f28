import { lookup } from 'node:dns/promises'
import { hostname } from 'node:os'
import Sqlite from 'better-sqlite3'
import { readConfig } from '../../src/config.ts'
import { addressesOf } from '../../src/open-access.ts'
import { VERSION } from '../../src/version.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

let service: TestService
afterEach(() => service?.close())

/** A name that this machine can listen at; one of its own where it has one. */
async function nameOfMachine(): Promise<string> {
  for (const name of [hostname(), 'ip6-localhost', 'ip6-loopback']) {
    const found = await lookup(name).catch(() => undefined)
    if (found !== undefined) return name
  }
  return 'localhost'
}

test('the name in MORAINE_HOST is a name of the service, and no other is', async () => {
  const name = await nameOfMachine()
  service = await startTestService({
    environment: { MORAINE_HOST: name, MORAINE_OPEN_TO_ALL: 'yes' },
  })
  const { port } = new URL(service.url)
  for (const host of [name, name.toUpperCase(), `${name}:${port}`, '127.0.0.1', 'localhost']) {
    expect((await ask(service, '/health', { headers: { Host: host } })).status).toBe(200)
  }
  for (const host of [`${name}.example`, 'evil.example']) {
    expect((await ask(service, '/health', { headers: { Host: host } })).status).toBe(421)
  }
})

test('so is one in other letters, and those of the other settings', () => {
  const { sites } = addressesOf(
    readConfig({
      MORAINE_HOST: 'Lake.Example',
      MORAINE_ALLOWED_HOSTS: 'moraine,Other.Example',
      MORAINE_PUBLIC_URL: 'https://data.example/lake',
    }),
  )
  expect(sites?.hosts).toEqual(['lake.example', 'moraine', 'other.example', 'data.example'])
})

test.each([
  ['', 7 * DAY_MS],
  ['30m', 30 * MINUTE_MS],
])('files of a purged table stay for MORAINE_DELETE_GRACE: "%s"', async (grace, graceMs) => {
  service = await startTestService({ environment: { MORAINE_DELETE_GRACE: grace } })
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 't', schema }), 201)
  const headers = { 'Content-Type': 'text/csv' }
  await must(ask(service, '/v1/tables/t/files', { method: 'POST', raw: 'n\n1\n', headers }), 201)
  const beforeMs = Date.now()
  await must(ask(service, '/v1/tables/t?purge=true', { method: 'DELETE' }))
  const database = new Sqlite(`${service.home}/catalog.db`, { readonly: true })
  const due = database.prepare('select due_at_ms from file_deletions').pluck().all() as number[]
  database.close()
  expect(due.length).toBeGreaterThan(0)
  for (const dueAtMs of due) {
    expect(dueAtMs).toBeGreaterThanOrEqual(beforeMs + graceMs)
    expect(dueAtMs).toBeLessThanOrEqual(Date.now() + graceMs)
  }
})

test('the version is in /health and in the metrics', async () => {
  service = await startTestService()
  expect(await must(ask(service, '/health'))).toMatchObject({ status: 'ok', version: VERSION })
  const shown = (await ask(service, '/metrics')).text
  expect(shown).toContain(`moraine_build_info{version="${VERSION}"`)
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/)
})
