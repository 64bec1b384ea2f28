/**
 * What access and the audit cost: processor time of a commit and of a load, with keys and with
 * tokens of a provider, both at 100,000 grants, beside a service that asks nobody; and beside one
 * whose audit keeps no rows. All run side by side and are loaded in turn, forth and back.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type BenchService, startBenchService, startProgram } from './bench-service.ts'
import { build, builtPath } from './build.ts'
import { HttpConnection } from './http-connection.ts'
import { loadAverage, percentile, printMachine, printRow } from './machine.ts'
import { familyCpuMs } from './process-family.ts'
import { IS_QUICK, openReport } from './report.ts'
import { mustAsk, SCHEMA } from './rest-table.ts'

const GRANTS = 100_000
const PRINCIPALS = 1_000
const CLIENTS = 16
const COMMITS = IS_QUICK ? 300 : 2_000
const LOADS = IS_QUICK ? 1_000 : 6_000
const ROUNDS = IS_QUICK ? 2 : 8
const TABLES = '/iceberg/v1/namespaces/bench/tables'
const AUDIENCE = 'bench'

interface Setting {
  readonly name: string
  readonly service: BenchService
  /** Header lines of a request. */
  readonly headers: string
  /** Processor time of a unit, in microseconds, by work; one a round. */
  readonly costs: Map<string, number[]>
}

const report = openReport('access')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
let turn = 0

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(`Access at ${GRANTS.toLocaleString('en')} grants, and the audit`)
  build()
  const { server, issuer, token } = await startProvider()
  const oidc = {
    MORAINE_AUTH: 'oidc',
    MORAINE_OIDC_ISSUER: issuer,
    MORAINE_OIDC_AUDIENCE: AUDIENCE,
  }
  const keyed = await withGrants('keys', { MORAINE_AUTH: 'keys' }, issuer)
  const signed = await withGrants('oidc', oidc, issuer)
  const environment = { MORAINE_PORT: '0', MORAINE_HOME: join(home, 'unkept') }
  const settings: readonly Setting[] = [
    newSetting('none', await startBenchService(join(home, 'none')), ''),
    newSetting('keys', keyed.service, `authorization: Bearer ${keyed.key}\r\n`),
    newSetting('tokens of a provider', signed.service, `authorization: Bearer ${token}\r\n`),
    newSetting(
      'none, audit not kept',
      await startProgram('bench/unkept-audit-main.ts', environment),
      '',
    ),
  ]
  for (const setting of settings) await furnish(setting)
  for (let round = 0; round <= ROUNDS; round++) {
    const order = round % 2 === 0 ? settings : [...settings].reverse()
    for (const setting of order) await measure(setting, round > 0)
  }
  tell(settings)
  for (const { service } of settings) await service.stop()
  server.close()
}

function newSetting(name: string, service: BenchService, headers: string): Setting {
  return { name, service, headers, costs: new Map() }
}

/** A service whose catalog has that many grants, by a thousand roles, and one caller's key. */
async function withGrants(name: string, environment: Record<string, string>, issuer: string) {
  const place = join(home, name)
  const settings = { ...environment, MORAINE_HOME: place }
  const key = execFileSync(process.execPath, [builtPath('src/main.ts'), 'create-admin-key'], {
    env: { ...process.env, ...settings, MORAINE_LOG_LEVEL: 'error' },
  })
  const database = new Sqlite(join(place, 'catalog.db'))
  const insert = database.prepare(
    'insert into grants (securable, principal, privilege) values (?, ?, ?)',
  )
  database.transaction(() => {
    for (let i = 0; i < GRANTS; i++) insert.run(randomUUID(), `role:r${i % PRINCIPALS}`, 'select')
  })()
  database.close()
  const service = await startBenchService(place, environment)
  const admin = `authorization: Bearer ${key.toString().trim()}\r\n`
  const connection = await HttpConnection.open(service.url)
  const ask = (path: string, body: object) =>
    mustAsk(connection, { method: 'POST', path, body: JSON.stringify(body), headers: admin })
  const made = await ask('/v1/keys', {})
  const id = made.key.split('_')[1]
  await ask('/iceberg/v1/namespaces', { namespace: ['bench'] })
  await ask('/v1/roles', { name: 'writers' }).catch(() => undefined)
  await ask('/v1/roles/writers/members', { add: [`key:${id}`, `user:${issuer}~ada`] })
  const grant = [{ principal: 'role:writers', privilege: 'own' }]
  await ask('/v1/namespaces/bench/permissions', { grant })
  connection.close()
  return { service, key: made.key as string }
}

async function furnish({ service, headers }: Setting): Promise<void> {
  const connection = await HttpConnection.open(service.url)
  const post = (path: string, body: object) =>
    connection.ask({ method: 'POST', path, body: JSON.stringify(body), headers })
  await post('/iceberg/v1/namespaces', { namespace: ['bench'] })
  for (let i = 0; i < CLIENTS; i++) {
    const { status } = await post(TABLES, { name: `t${i}`, schema: SCHEMA })
    if (status !== 200) throw new Error(`a table was not made: ${status}`)
  }
  connection.close()
}

async function measure(setting: Setting, isKept: boolean): Promise<void> {
  for (const [work, units, isCommit] of [
    ['commit', COMMITS, true],
    ['load', LOADS, false],
  ] as const) {
    const begin = familyCpuMs(setting.service.pid)
    await run(setting, units, isCommit)
    const us = ((familyCpuMs(setting.service.pid) - begin) * 1000) / units
    if (isKept) setting.costs.set(work, [...(setting.costs.get(work) ?? []), us])
  }
}

/** Sixteen clients, each with a table of its own. */
async function run({ service, headers }: Setting, units: number, isCommit: boolean): Promise<void> {
  let left = units
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const connection = await HttpConnection.open(service.url)
    const path = `${TABLES}/t${client}`
    while (left-- > 0) {
      const updates = [{ action: 'set-properties', updates: { turn: `${++turn}` } }]
      const body = JSON.stringify({ requirements: [], updates })
      const question = isCommit ? { method: 'POST', path, body, headers } : { path, headers }
      const { status } = await connection.ask(question)
      if (status !== 200) throw new Error(`${path}: ${status}`)
    }
    connection.close()
  })
  await Promise.all(clients)
}

function tell(settings: readonly Setting[]): void {
  console.log(`load average ${loadAverage()}; medians of ${ROUNDS} rounds\n`)
  printRow(['what', 'setting', 'us of CPU', 'ratio to none', 'least', 'greatest'])
  printRow(Array.from({ length: 6 }, () => '---'))
  const [none] = settings
  for (const work of ['commit', 'load']) {
    const base = none?.costs.get(work) ?? []
    for (const { name, costs } of settings) {
      const own = costs.get(work) ?? []
      const ratios = own.map((us, round) => us / (base[round] ?? Number.NaN))
      const [least, median, greatest] = [0, 0.5, 1].map((p) => percentile(ratios, p))
      const shown = [median, least, greatest].map((ratio) => (ratio ?? Number.NaN).toFixed(3))
      printRow([work, name, Math.round(percentile(own, 0.5)), ...shown])
      if (name === 'none' || median === undefined) continue
      const isAudit = name.endsWith('not kept')
      const what = `${work}, ${name}, processor time beside none`
      const aim = isAudit ? { atLeast: 0.97 } : { atMost: 1.03 }
      report.figure({ what, value: median, unit: 'of it', ...(work === 'commit' && { aim }) })
    }
  }
}

interface Provider {
  readonly server: Server
  readonly issuer: string
  readonly token: string
}

/** What verifies a token, as a provider publishes it, and one token. */
async function startProvider(): Promise<Provider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const key = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' }
  const server = createServer(({ url }, response) => {
    const found = url?.includes('.well-known')
      ? { issuer, jwks_uri: `${issuer}/keys` }
      : { keys: [key] }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(found))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', kid: 'bench' })
    .setIssuer(issuer)
    .setSubject('ada')
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime('2h')
    .sign(privateKey)
  return { server, issuer, token }
}
