import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { link } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describePostgres } from '../catalog/postgres-server.ts'
import { writeParquet } from '../parquet-files.ts'
import { callService } from '../serializability/caller.ts'
import { buildService, endServices, KillableService } from './killable-service.ts'

const KILLS = Number(process.env['TEST_KEY_KILLS'] ?? 4)
const CLIENTS = 8
const TIMEOUT_MS = 360_000 + 60_000 * KILLS
/** Between two kills, at least. */
const ANSWERS_BETWEEN_KILLS = 20
const PARQUET = 'application/vnd.apache.parquet'
/** What a client does not take for the end: the request goes again under its key. */
const AGAIN = new Set(['idempotency-key-in-use', 'overloaded', 'commit-state-unknown'])

let home: string
beforeAll(() => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-keys-'))
}, 120_000)
afterAll(async () => {
  await endServices()
  rmSync(home, { recursive: true, force: true })
})

test(
  'under SIGKILLs of two services on one SQLite database, each key has one effect',
  () => killOften(join(home, 'sqlite'), {}),
  TIMEOUT_MS,
)

describePostgres((server) =>
  test(
    'under SIGKILLs of two replicas, each key has one effect',
    async () => {
      await killOften(join(home, 'postgres'), { MORAINE_CATALOG: await server().newDatabase() })
    },
    TIMEOUT_MS,
  ),
)

interface Sent {
  readonly path: string
  readonly type: string
  readonly body: Uint8Array
}

/** A request with its key, sent until it is answered. */
interface Keyed extends Sent {
  readonly key: string
  /** What it is to leave behind, once. */
  readonly effect: { readonly kind: 'file' | 'transaction'; readonly of: string }
}

interface Answer {
  readonly status: number
  readonly body: string
}

interface Place {
  readonly folder: string
  /** A file of 20,000 rows, too long to come in one piece. */
  readonly template: string
  readonly bytes: Buffer
  /** Addresses of the services; empty while one is down. */
  readonly urls: string[]
  readonly answered: { readonly keyed: Keyed; readonly answer: Answer }[]
  isOver: boolean
}

async function killOften(folder: string, catalog: Record<string, string>): Promise<void> {
  const template = join(folder, 'lake', 'template.parquet')
  const environment = {
    ...{ MORAINE_HOME: join(folder, 'moraine'), MORAINE_ALLOWED_LOCATIONS: join(folder, 'lake') },
    ...catalog,
  }
  await writeParquet(template, 'SELECT (hash(i) >> 1)::BIGINT AS n FROM range(20000) t(i)')
  const place: Place = {
    ...{ folder, template, bytes: readFileSync(template), urls: [], answered: [], isOver: false },
  }
  const services: KillableService[] = []
  try {
    await stormAndKill(place, environment, services)
    await expectOnce(place)
  } finally {
    const ends = services.map((service) => service.kill('SIGTERM'))
    expect(await Promise.all(ends)).toEqual([0, 0])
  }
}

/** Until all clients have had their answers; `services` are the two that run. */
async function stormAndKill(
  place: Place,
  environment: Record<string, string>,
  services: KillableService[],
): Promise<void> {
  for (const which of [0, 1]) services[which] = await start(place, environment, which)
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  const { status } = await callService(`${place.urls[0]}/v1/tables`, {
    json: { name: 't', schema },
  })
  expect(status).toBe(201)
  let failure: unknown
  const clients = Array.from({ length: CLIENTS }, (_, client) =>
    work(place, client).catch((error: unknown) => {
      failure ??= error
    }),
  )
  for (let kill = 0; kill < KILLS; kill++) {
    const before = place.answered.length
    while (place.answered.length < before + ANSWERS_BETWEEN_KILLS && !failure) await sleep(5)
    if (failure) break
    await sleep(Math.random() * 50)
    const which = kill % 2
    place.urls[which] = ''
    await (services[which] as KillableService).kill()
    services[which] = await start(place, environment, which)
  }
  place.isOver = true
  await Promise.all(clients)
  if (failure) throw failure
}

async function start(
  place: Place,
  environment: Record<string, string>,
  which: number,
): Promise<KillableService> {
  const service = await KillableService.start(environment)
  place.urls[which] = service.url
  return service
}

/** One request after the other, of all kinds. */
async function work(place: Place, client: number): Promise<void> {
  for (let i = 0; !place.isOver || i < 3; i++) {
    const keyed = await newRequest(place, `${client}-${i}`, i % 3)
    place.answered.push({ keyed, answer: await untilAnswered(place, keyed) })
  }
}

async function newRequest(place: Place, id: string, kind: number): Promise<Keyed> {
  const json = (path: string, value: unknown) => ({
    ...{ path, type: 'application/json', body: Buffer.from(JSON.stringify(value)) },
  })
  if (kind === 0) {
    const body = place.bytes
    const effect = { kind: 'file', of: '' } as const
    return { key: `upload ${id}`, path: '/v1/tables/t/files', type: PARQUET, body, effect }
  }
  if (kind === 1) {
    const path = join(place.folder, 'lake', `f-${id}.parquet`)
    await link(place.template, path)
    const sent = json('/v1/tables/t/files', { files: [{ path }] })
    return { key: `append ${id}`, ...sent, effect: { kind: 'file', of: path } }
  }
  const sent = json('/v1/transactions/start', { message: id })
  return { key: `start ${id}`, ...sent, effect: { kind: 'transaction', of: '' } }
}

/** Cuts some attempts off, sends others twice at once, and goes on at either service. */
async function untilAnswered(place: Place, keyed: Keyed): Promise<Answer> {
  for (;;) {
    const chance = Math.random()
    if (chance < 0.15) await attempt(place, keyed, { isCut: true })
    const twins = chance > 0.7 ? [0, 1] : [0]
    const answers = await Promise.all(twins.map(() => attempt(place, keyed)))
    const final = answers.filter((answer) => answer !== undefined && !isToRepeat(answer))
    const [first, second] = final as Answer[]
    if (first === undefined) {
      await sleep(20)
      continue
    }
    if (second !== undefined) expect(second).toEqual(first)
    const isDone = first.status === 200 || first.status === 201
    expect([keyed.key, isDone, first.body]).toEqual([keyed.key, true, first.body])
    return first
  }
}

function isToRepeat({ status, body }: Answer): boolean {
  return status >= 400 && AGAIN.has(JSON.parse(body).type.slice('/problems/'.length))
}

/** `undefined` when there was no reply. */
function attempt(
  { urls }: Place,
  { path, type, body, key }: Keyed,
  { isCut = false } = {},
): Promise<Answer | undefined> {
  const url = urls[Math.floor(Math.random() * urls.length)] ?? ''
  if (url === '') return sleep(20).then(() => undefined)
  return new Promise((resolve) => {
    const headers = { 'Content-Type': type, 'Content-Length': body.length, 'Idempotency-Key': key }
    const sent = request(url + path, { method: 'POST', headers, agent: false })
    sent.once('error', () => resolve(undefined))
    sent.once('response', async (response) => {
      const reply = await text(response).catch(() => undefined)
      resolve(reply === undefined ? undefined : { status: response.statusCode ?? 0, body: reply })
    })
    if (!isCut) return void sent.end(body)
    sent.write(body.subarray(0, Math.floor(body.length / 2)))
    setTimeout(() => sent.destroy(), Math.random() * 20)
  })
}

/** Each key's effect is there once, and its answer is given again, by both. */
async function expectOnce(place: Place): Promise<void> {
  const { answered, urls } = place
  const files = answered.filter(({ keyed }) => keyed.effect.kind === 'file')
  const { body } = await callService(`${urls[0]}/v1/tables/t`)
  const paths = body.data_files.map(({ path }: { path: string }) => path)
  expect(new Set(paths).size).toBe(paths.length)
  expect(paths).toHaveLength(files.length)
  const starts = answered.filter(({ keyed }) => keyed.effect.kind === 'transaction')
  const ids = starts.map(({ answer }) => JSON.parse(answer.body).transaction_id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const [index, { keyed, answer }] of answered.entries()) {
    const again = await attempt({ ...place, urls: [urls[index % 2] ?? ''] }, keyed)
    expect(again).toEqual(answer)
  }
  const after = await callService(`${urls[1]}/v1/tables/t`)
  expect(after.body.totals.data_files).toBe(files.length)
}
