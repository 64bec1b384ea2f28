import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readManifestList } from '../../src/formats/iceberg/manifest-list.ts'
import { decodeManifest } from '../../src/formats/iceberg/manifest-reader.ts'
import { parseTableMetadata } from '../../src/formats/iceberg/table-metadata-json.ts'
import { writeParquet } from '../parquet-files.ts'
import { buildService, KillableService, removeBuild } from './killable-service.ts'
import { StormRecord, storm } from './storm.ts'

const KILLS = 100
const CLIENTS = 8
const TABLES = ['first', 'second'] as const

// biome-ignore lint/suspicious/noExplicitAny: answers of the public API, as any client sees them
type Answer = any

let home: string
beforeAll(() => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-crash-'))
}, 120_000)
afterAll(() => {
  rmSync(home, { recursive: true, force: true })
  removeBuild()
})

test(`after ${KILLS} SIGKILLs in a commit storm every acknowledged transaction is there once, and whole`, async () => {
  const folder = join(home, 'lake')
  mkdirSync(folder)
  const template = await writeParquet(join(home, 'template.parquet'), 'SELECT 1::BIGINT AS n')
  const environment = { MORAINE_HOME: join(home, 'moraine'), MORAINE_ALLOWED_LOCATIONS: folder }
  const record = new StormRecord()
  let killsWithWork = 0
  for (let kill = 0; killsWithWork < KILLS; kill++) {
    expect(kill).toBeLessThan(2 * KILLS)
    const service = await KillableService.start(environment)
    if (kill === 0) await createTables(service.url)
    const before = record.requests
    let isOver = false
    const place = { url: service.url, template, folder }
    const storming = storm(place, record, { clients: CLIENTS, isOver: () => isOver })
    await sleep(50 + Math.random() * 450)
    isOver = true
    await service.kill()
    await storming
    if (record.requests > before) killsWithWork++
  }
  expect(record.definiteRefusals).toEqual([])

  const service = await KillableService.start(environment)
  try {
    const logs = await readLogs(service.url)
    checkLogs(record, logs)
    for (const table of TABLES) await checkFiles(service.url, table, record)
    process.stdout.write(
      `${killsWithWork} kills; ${record.requests} commits begun, ${record.acknowledged.length} acknowledged; ` +
        TABLES.map((table) => `${table}: ${logs[table].length} snapshots`).join(', ') +
        '\n',
    )
  } finally {
    expect(await service.kill('SIGTERM')).toBe(0)
  }
}, 600_000)

async function createTables(url: string): Promise<void> {
  for (const name of TABLES) {
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    const response = await fetch(`${url}/v1/tables`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, schema }),
    })
    expect(response.status).toBe(201)
  }
}

async function readLogs(url: string): Promise<Record<(typeof TABLES)[number], Answer[]>> {
  const logs: Record<string, Answer[]> = {}
  for (const table of TABLES) {
    const snapshots: Answer[] = []
    for (let token: string | null = ''; token !== null; ) {
      const page = token === '' ? '' : `&page_token=${token}`
      const answer = await get(`${url}/v1/tables/${table}/snapshots?page_size=1000${page}`)
      snapshots.push(...answer.snapshots)
      token = answer.next_page_token
    }
    logs[table] = snapshots
  }
  return logs as Record<(typeof TABLES)[number], Answer[]>
}

function checkLogs(record: StormRecord, logs: Record<(typeof TABLES)[number], Answer[]>): void {
  const idsOf = (table: (typeof TABLES)[number]): string[] =>
    logs[table].flatMap((snapshot) => snapshot.transaction_ids)
  for (const table of TABLES) {
    const ids = idsOf(table)
    expect(new Set(ids).size).toBe(ids.length)
    const sequence = logs[table].map((snapshot) => BigInt(snapshot.sequence_number)).reverse()
    expect(sequence).toEqual(sequence.map((_, index) => BigInt(index + 1)))
  }
  const [first, second] = [new Set(idsOf('first')), new Set(idsOf('second'))]
  for (const { transactionId, tables } of record.acknowledged) {
    expect([first.has(transactionId), second.has(transactionId)]).toEqual([
      tables.includes('first'),
      tables.includes('second'),
    ])
  }
}

/** Every snapshot's files exist, and the table holds what its log says: no more, no less, each once. */
async function checkFiles(url: string, table: string, record: StormRecord): Promise<void> {
  const answer = await get(`${url}/v1/tables/${table}`)
  const live: string[] = answer.data_files.map((file: Answer) => file.path)
  const liveSet = new Set(live)
  expect(liveSet.size).toBe(live.length)
  const acknowledged = record.acknowledged.filter(({ tables }) => tables.includes(table))
  const lost = acknowledged.filter(({ path }) => !liveSet.has(`file://${path}`))
  expect(lost).toEqual([])
  expect(live.filter((path) => !record.submittedPaths.has(path))).toEqual([])

  const metadata = parseTableMetadata(await textOf(answer.metadata_location))
  expect(String(metadata.currentSnapshotId)).toBe(answer.snapshot.snapshot_id)
  const seen = new Set<string>()
  let addedByLog = 0
  for (const snapshot of metadata.snapshots) {
    addedByLog += Number(snapshot.summary['added-data-files'])
    for (const manifest of readManifestList(await bytesOf(snapshot.manifestList))) {
      if (seen.has(manifest.path)) continue
      seen.add(manifest.path)
      const decoded = decodeManifest(await bytesOf(manifest.path), manifest)
      for (let i = 0; i < decoded.entryCount; i++) await access(fileURLToPath(decoded.path(i)))
    }
  }
  expect(addedByLog).toBe(live.length)
}

async function get(url: string): Promise<Answer> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  return response.json()
}

function bytesOf(location: string): Promise<Uint8Array> {
  return readFile(fileURLToPath(location))
}

async function textOf(location: string): Promise<string> {
  return (await readFile(fileURLToPath(location))).toString()
}
