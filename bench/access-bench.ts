/**
 * What access and the audit cost: processor time of a commit and of a load, with keys and with
 * tokens of a provider, both at 100,000 grants, beside a service that asks nobody; beside the same
 * once more, which shows how far two equal services differ; and beside one whose audit keeps no
 * rows. All run side by side, and are asked in turn for a few requests at a time, one after the
 * other: what else the machine does meets all alike, and no commit shares its batch. What the
 * compiler made of the code in one process differs from what it made in the next by more than
 * access costs, so all are started anew several times. It is also found how long functions of
 * access, and what they call, run in a service that is loaded by 16 clients, by its profile: that
 * has little noise, but leaves out what access costs elsewhere, such as garbage.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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
import { processCpuNs } from './process-family.ts'
import { type Span, secondsBelow } from './profile.ts'
import { IS_QUICK, openReport } from './report.ts'
import { mustAsk, SCHEMA } from './rest-table.ts'

const GRANTS = 100_000
const PRINCIPALS = 1_000
const TABLES_EACH = 16
const LIVES = IS_QUICK ? 2 : 3
const WARM_UP = IS_QUICK ? 500 : 2_000
const TURNS = IS_QUICK ? 10 : 20
const UNITS = { commit: 50, load: 100 }
const PROFILED = IS_QUICK ? { commit: 1_600, load: 3_200 } : { commit: 8_000, load: 16_000 }
const PROFILED_WARM_UP = IS_QUICK ? 800 : 4_000
const TABLES = '/iceberg/v1/namespaces/bench/tables'
const AUDIENCE = 'bench'
const AT_MOST_3 = { aim: { atMost: 3 } }
const IS_OF_ACCESS = /\/src\/(?:modules\/access\/|http\/permission\.)/

type Work = keyof typeof UNITS

interface Setting {
  readonly name: string
  readonly service: BenchService
  /** Header lines of a request. */
  readonly headers: string
}

/** Processor time of a unit, in microseconds; one a turn. */
type Costs = Map<string, Record<Work, number[]>>

const report = openReport('access')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
let property = 0

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(`Access at ${GRANTS.toLocaleString('en')} grants, and the audit`)
  build()
  const provider = await startProvider()
  const lives: Costs[] = []
  for (let life = 0; life < LIVES; life++) lives.push(await live(`${life}`, provider))
  tell(lives)
  await profileAll(provider)
  provider.server.close()
}

/** Time in access includes that in which other processes had the processor: it is a bound. */
async function profileAll({ issuer, token }: Provider): Promise<void> {
  console.log(
    `\nload average ${loadAverage()}; what access takes of it by profiles, at most, of ` +
      `${PROFILED.commit} commits and ${PROFILED.load} loads of ${TABLES_EACH} clients\n`,
  )
  printRow(['what', 'setting', 'us of CPU', 'us in access', '% more than none'])
  printRow(Array.from({ length: 5 }, () => '---'))
  const profiles = join(home, 'profiles')
  process.env['BENCH_PROFILE'] = profiles
  const none: Record<Work, number> = { commit: 0, load: 0 }
  for (const name of ['none', 'keys', 'tokens of a provider']) {
    const setting = await startProfiled(name, { issuer, token })
    const pathsBefore = new Set(filesIn(profiles))
    const spans = await loadProfiled(setting)
    await setting.service.stop()
    const made = filesIn(profiles).find((file) => !pathsBefore.has(file)) ?? ''
    const profile = JSON.parse(readFileSync(join(profiles, made), 'utf8'))
    for (const work of ['commit', 'load'] as const) {
      const { cpuUs, ...span } = spans[work]
      const us = (1e6 * secondsBelow(profile, { ...span, isBelow: IS_OF_ACCESS })) / PROFILED[work]
      if (name === 'none') none[work] = us
      const [all, more] = [cpuUs / PROFILED[work], us - none[work]]
      printRow([work, name, Math.round(all), us.toFixed(1), ((100 * more) / all).toFixed(2)])
      if (name === 'none') continue
      const what = `${work}, ${name}, share of processor time that access adds`
      report.figure({
        what,
        value: (100 * more) / all,
        unit: '%',
        ...(work === 'commit' && AT_MOST_3),
      })
    }
  }
}

async function startProfiled(
  name: string,
  { issuer, token }: Pick<Provider, 'issuer' | 'token'>,
): Promise<Setting> {
  const place = `profiled-${name.slice(0, 4)}`
  if (name === 'none') {
    return { name, headers: '', service: await startBenchService(join(home, place)) }
  }
  const oidc = { MORAINE_OIDC_ISSUER: issuer, MORAINE_OIDC_AUDIENCE: AUDIENCE }
  const isKeys = name === 'keys'
  const environment = isKeys ? { MORAINE_AUTH: 'keys' } : { MORAINE_AUTH: 'oidc', ...oidc }
  const { service, key } = await withGrants(place, environment, issuer)
  return { name, service, headers: bearer(isKeys ? key : token) }
}

/** When the work of each kind was done, by the clock of profiles. */
async function loadProfiled(setting: Setting) {
  await furnish(setting)
  const all = (work: Work, units: number) =>
    Promise.all(
      Array.from({ length: TABLES_EACH }, (_, first) =>
        run(setting, work, { units: units / TABLES_EACH, first }),
      ),
    )
  const spans: Partial<Record<Work, Profiled>> = {}
  for (const work of ['commit', 'load'] as const) {
    await all(work, PROFILED_WARM_UP)
    const [fromUs, fromCpuNs] = [nowUs(), processCpuNs(setting.service.pid)]
    await all(work, PROFILED[work])
    const cpuUs = (processCpuNs(setting.service.pid) - fromCpuNs) / 1_000
    spans[work] = { fromUs, toUs: nowUs(), cpuUs }
  }
  return spans as Record<Work, Profiled>
}

interface Profiled extends Span {
  readonly cpuUs: number
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

function filesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** All services from their start to their end. */
async function live(life: string, { issuer, token }: Provider): Promise<Costs> {
  const oidc = {
    MORAINE_AUTH: 'oidc',
    MORAINE_OIDC_ISSUER: issuer,
    MORAINE_OIDC_AUDIENCE: AUDIENCE,
  }
  const keyed = await withGrants(`keys-${life}`, { MORAINE_AUTH: 'keys' }, issuer)
  const signed = await withGrants(`oidc-${life}`, oidc, issuer)
  const unkept = { MORAINE_PORT: '0', MORAINE_HOME: join(home, `unkept-${life}`) }
  const none = (name: string) => startBenchService(join(home, `${name}-${life}`))
  const settings: readonly Setting[] = [
    { name: 'none', service: await none('none'), headers: '' },
    { name: 'none, once more', service: await none('again'), headers: '' },
    { name: 'keys', service: keyed.service, headers: bearer(keyed.key) },
    { name: 'tokens of a provider', service: signed.service, headers: bearer(token) },
    {
      ...{ name: 'none, audit not kept', headers: '' },
      service: await startProgram('bench/unkept-audit-main.ts', unkept),
    },
  ]
  const costs: Costs = new Map(settings.map(({ name }) => [name, { commit: [], load: [] }]))
  for (const setting of settings) {
    await furnish(setting)
    await run(setting, 'commit', { units: WARM_UP })
    await run(setting, 'load', { units: WARM_UP })
  }
  for (let turn = 0; turn < TURNS; turn++) {
    const first = turn % settings.length
    const turned = [...settings.slice(first), ...settings.slice(0, first)]
    const order = turn % 2 === 0 ? turned : turned.reverse()
    for (const work of ['commit', 'load'] as const) {
      for (const setting of order) {
        const begin = processCpuNs(setting.service.pid)
        await run(setting, work, { units: UNITS[work] })
        const ns = processCpuNs(setting.service.pid) - begin
        costs.get(setting.name)?.[work].push(ns / 1000 / UNITS[work])
      }
    }
  }
  for (const { service } of settings) await service.stop()
  return costs
}

function bearer(credential: string): string {
  return `authorization: Bearer ${credential}\r\n`
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
  const admin = bearer(key.toString().trim())
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
  for (let i = 0; i < TABLES_EACH; i++) {
    const { status } = await post(TABLES, { name: `t${i}`, schema: SCHEMA })
    if (status !== 200) throw new Error(`a table was not made: ${status}`)
  }
  connection.close()
}

/** One request after the other, of each table in turn. */
async function run(
  { service, headers }: Setting,
  work: Work,
  { units, first = 0 }: { readonly units: number; readonly first?: number },
): Promise<void> {
  // A server closes connections that wait for their turn.
  const connection = await HttpConnection.open(service.url)
  for (let unit = 0; unit < units; unit++) {
    const path = `${TABLES}/t${(first + unit) % TABLES_EACH}`
    const updates = [{ action: 'set-properties', updates: { turn: `${++property}` } }]
    const body = JSON.stringify({ requirements: [], updates })
    const question = work === 'commit' ? { method: 'POST', path, body, headers } : { path, headers }
    const { status } = await connection.ask(question)
    if (status !== 200) throw new Error(`${path}: ${status}`)
  }
  connection.close()
}

function tell(lives: readonly Costs[]): void {
  console.log(
    `load average ${loadAverage()}; ${LIVES} lives of ${TURNS} turns, each of ${UNITS.commit} ` +
      `commits and ${UNITS.load} loads. Ratios are of the same turn: their median, what holds it ` +
      'in 95 of 100, and the least and greatest median of a life\n',
  )
  const columns = ['what', 'setting', 'us of CPU', 'ratio to none', '95 %', 'lives']
  printRow(columns)
  printRow(columns.map(() => '---'))
  for (const work of ['commit', 'load'] as const) {
    for (const name of lives[0]?.keys() ?? []) tellOf(lives, work, name)
  }
}

function tellOf(lives: readonly Costs[], work: Work, name: string): void {
  const byLife = lives.map((costs) => {
    const none = costs.get('none')?.[work] ?? []
    return (costs.get(name)?.[work] ?? []).map((us, turn) => us / (none[turn] ?? Number.NaN))
  })
  const median = percentile(byLife.flat(), 0.5)
  const us = percentile(
    lives.flatMap((costs) => costs.get(name)?.[work] ?? []),
    0.5,
  )
  const medians = byLife.map((ratios) => percentile(ratios, 0.5))
  const show = (ratios: readonly number[], ends: readonly [number, number]) =>
    ends.map((p) => percentile(ratios, p).toFixed(3)).join(' to ')
  const range = [show(mediansDrawn(byLife), [0.025, 0.975]), show(medians, [0, 1])]
  printRow([work, name, Math.round(us), median.toFixed(3), ...range])
  if (name === 'none') return
  const what = `${work}, ${name}, processor time beside none`
  const isAsked = name === 'keys' || name.startsWith('tokens')
  const aim = work === 'commit' && isAsked && { aim: { atMost: 1.03 } }
  report.figure({ what, value: median, unit: 'of it', ...aim })
}

/** Medians of lives drawn with replacement: how far the median is due to these lives. */
function mediansDrawn(byLife: readonly (readonly number[])[]): readonly number[] {
  const draw = () => byLife[Math.floor(Math.random() * byLife.length)] ?? []
  return Array.from({ length: 2_000 }, () => percentile(byLife.flatMap(draw), 0.5))
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
