import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, must, post } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { writeParquet } from '../parquet-files.ts'
import {
  endsWithSome,
  neverDone,
  PURGED_TABLES,
  type StormResult,
  stormPurges,
} from '../purges/purge-storm.ts'
import { type BucketServer, openBucketServer, storesHere } from './stores/bucket-server.ts'
import { openToxiproxy, type Toxic, type Toxiproxy, whyNoToxiproxy } from './stores/toxiproxy.ts'

/** Length of each storm. TEST_STORM_SECONDS makes it longer. */
const SECONDS = Number(process.env['TEST_STORM_SECONDS'] ?? 8)
const CLIENTS = 8
/** They purge, drop and clone beside, and name files of the others in any spelling. */
const PURGERS = 3
const TABLES = ['a', 'b'] as const
const COLUMNS = [
  { name: 'n', type: 'long' },
  { name: 'text', type: 'string' },
]
const PAUSE_MS = 100
const ATTEMPTS_MAX = 300
const TIMEOUT_MS = 180_000 + 20_000 * SECONDS

/** Both streams are cut, slow, in pieces, truncated, or silent. */
const TOXICS: readonly Omit<Toxic, 'stream'>[] = [
  { type: 'reset_peer', toxicity: 0.3, attributes: { timeout: 20 } },
  { type: 'latency', toxicity: 0.5, attributes: { latency: 200, jitter: 150 } },
  { type: 'limit_data', toxicity: 0.3, attributes: { bytes: 3_000 } },
  { type: 'slicer', toxicity: 0.5, attributes: { average_size: 500, size_variation: 400 } },
  { type: 'timeout', toxicity: 0.2, attributes: { timeout: 500 } },
]

/** Else there were none beside the storm. */
const SOME = ['add 200', 'drop now 200']

interface Counts {
  acknowledged: number
  repeated: number
  readonly refusals: Record<string, number>
}

for (const { name, why } of storesHere()) {
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `commits while ${name} fails`, () => {
    let server: BucketServer
    let home: string
    let bytes: Uint8Array
    beforeEach(async () => {
      server = await openBucketServer(name)
      home = await mkdtemp(join(tmpdir(), 'moraine-store-storm-'))
      const query = "SELECT range::BIGINT AS n, 'x' AS text FROM range(10)"
      bytes = await readFile(await writeParquet(join(home, 'template.parquet'), query))
    }, 60_000)
    afterEach(async () => {
      await server.stop()
      await rm(home, { recursive: true, force: true })
    })

    const testNetwork = whyNoToxiproxy === undefined ? test : test.skip
    testNetwork(
      'every acknowledged row is there once, and no other bytes, over a network that fails',
      async () => {
        const proxy = await openToxiproxy(server.endpoint)
        try {
          await expectExactlyOnce(proxy.endpoint, (isOver) => poison(proxy, isOver))
        } finally {
          await proxy.stop()
        }
      },
      TIMEOUT_MS,
    )

    const testCrash = name === 'gcs' ? test.skip : test
    testCrash(
      'every acknowledged row is there once when the store is killed and starts again',
      async () => {
        await expectExactlyOnce(server.endpoint, async (isOver) => {
          while (!isOver()) {
            await sleep(1_500)
            await server.crash?.(500)
          }
        })
      },
      TIMEOUT_MS,
    )

    async function expectExactlyOnce(
      endpoint: string,
      ruin: (isOver: () => boolean) => Promise<void>,
    ): Promise<void> {
      const variable = server.scheme === 'gs' ? 'MORAINE_GCS_ENDPOINT' : 'MORAINE_S3_ENDPOINT'
      const environment = { ...server.settingsFor(home), [variable]: endpoint }
      const service = await startTestService({ home, environment })
      try {
        for (const table of TABLES) {
          const json = { name: table, schema: { columns: COLUMNS } }
          await must(post(service, '/v1/tables', json), 201)
        }
        const endMs = performance.now() + SECONDS * 1_000
        const isOver = () => performance.now() > endMs
        const counts: Counts = { acknowledged: 0, repeated: 0, refusals: {} }
        const ruining = ruin(isOver)
        const paths: string[] = []
        const purging = stormPurges({
          ...{ bytes, columns: COLUMNS, clients: PURGERS, tables: 2, urls: () => [service.url] },
          isOver: endsWithSome(SOME, isOver),
          // Whoever waits long gives up.
          hasKills: true,
          others: { tables: TABLES, paths: () => paths },
        })
        const clients = Array.from({ length: CLIENTS }, (_, i) => {
          return work(service, i, { isOver, ruining, counts, paths })
        })
        const outcomes = await Promise.allSettled(clients)
        const purges = await purging
        await ruining
        const written = outcomes.flatMap((outcome) => {
          if (outcome.status === 'rejected') throw outcome.reason
          return outcome.value
        })
        await expectRows(service, written)
        await expectPurges(service, purges)
        process.stdout.write(`${name}: ${JSON.stringify(counts)}\n`)
        expect(counts.acknowledged).toBe(written.length)
        expect(counts.acknowledged).toBeGreaterThan(0)
      } finally {
        await service.close()
      }
    }
  })
}

/** One network fault after the other, some of them two at a time. */
async function poison(proxy: Toxiproxy, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const toxic = TOXICS[i % TOXICS.length]
    const isClosed = i % 7 === 6 || toxic === undefined
    if (isClosed) await proxy.close()
    else await proxy.poison({ ...toxic, stream: i % 2 === 0 ? 'downstream' : 'upstream' })
    await sleep(400)
    if (i % 2 === 1 || isClosed) await proxy.heal()
  }
  await proxy.heal()
}

interface Written {
  readonly table: string
  readonly row: string
}

interface Storm {
  readonly isOver: () => boolean
  /** Resolves when the store is well again. */
  readonly ruining: Promise<void>
  readonly counts: Counts
  /** Files that acknowledged commits have written. */
  readonly paths: string[]
}

async function work(
  service: TestService,
  client: number,
  storm: Storm,
): Promise<readonly Written[]> {
  const written: Written[] = []
  for (let i = 0; !storm.isOver(); i++) {
    const table = TABLES[(client + i) % TABLES.length] ?? 'a'
    const row = `${client * 1_000_000 + i},${'x'.repeat((i * 37) % 5_000)}`
    await upload(service, { table, row }, storm)
    storm.counts.acknowledged++
    written.push({ table, row })
  }
  return written
}

/** What is not answered definitely is repeated, under the same key. */
async function upload(
  service: TestService,
  { table, row }: Written,
  { isOver, ruining, counts, paths }: Storm,
): Promise<void> {
  const headers = { 'Content-Type': 'text/csv', 'Idempotency-Key': randomUUID() }
  const request = { method: 'POST', headers, raw: `n,text\n${row}\n` }
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const { status, body } = await ask(service, `/v1/tables/${table}/files`, request)
    if (status === 201) {
      paths.push(...body.files.map(({ path }: { path: string }) => path))
      return
    }
    const code = String(body.type)
    counts.refusals[code] = (counts.refusals[code] ?? 0) + 1
    if (status !== 503) {
      const logged = service.log.find((line) => line['errorId'] === body.error_id)
      throw new Error(`${status} ${JSON.stringify(body)}: ${JSON.stringify(logged?.['err'])}`)
    }
    counts.repeated++
    await sleep(PAUSE_MS)
    // The last ones are definite once the store is well.
    if (isOver()) await ruining
  }
  throw new Error('it is never done')
}

async function expectRows(service: TestService, written: readonly Written[]): Promise<void> {
  for (const table of TABLES) {
    const wanted = written.filter((each) => each.table === table).map(({ row }) => row)
    const lines = (await (await fetchDump(service, table)).text()).split('\n')
    expect(lines.slice(1, -1).sort()).toEqual(wanted.sort())
    const { snapshots } = await must(ask(service, `/v1/tables/${table}/snapshots`))
    expect(snapshots.length).toBeGreaterThan(0)
    // No snapshot names a file that is missing.
    for (const { snapshot_id } of snapshots.slice(-20)) {
      const { status } = await fetchDump(service, table, `&snapshot_id=${snapshot_id}`)
      expect(status).toBe(200)
    }
  }
}

/** Whatever was purged, dropped and cloned: what is left is whole. */
async function expectPurges(
  service: TestService,
  { counts, surprises }: StormResult,
): Promise<void> {
  process.stdout.write(`purges beside it: ${JSON.stringify(counts)}\n`)
  expect(surprises).toEqual([])
  expect(neverDone(SOME, counts)).toEqual([])
  for (const table of PURGED_TABLES) {
    const response = await fetchDump(service, table)
    expect([table, [200, 404].includes(response.status)]).toEqual([table, true])
    // Also the last byte.
    expect([table, await response.text()]).toEqual([table, expect.any(String)])
  }
}

async function fetchDump(service: TestService, table: string, more = ''): Promise<Response> {
  const url = `${service.url}/v1/tables/${table}/dump?format=csv${more}`
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url)
    // The circuit may still be open.
    if (response.status !== 503 || attempt === 60) return response
    await response.body?.cancel()
    await sleep(500)
  }
}
