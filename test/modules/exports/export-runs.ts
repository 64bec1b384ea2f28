import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import type { ArchivePlaces } from '../../../src/modules/exports/archive-places.ts'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { RunLog } from '../../../src/modules/exports/run-log.ts'
import type { ExportDependencies } from '../../../src/modules/exports/settle-run.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { PostgresSource } from '../../../src/sources/postgres/postgres-source.ts'
import type { RowSource } from '../../../src/sources/row-source.ts'
import { type PostgresServer, startPostgres } from '../../catalog/postgres-server.ts'

/** Nobody cancels these runs. */
export const SIGNAL = new AbortController().signal
export const JOB = '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11'

/** A run without a service: of a job of which nobody else knows. */
export function runOf(jobId: string = randomUUID()) {
  return {
    jobId,
    log: new RunLog({ nowMs: Date.now, attempt: 1, before: undefined, report: () => undefined }),
    fence: { token: 1n, isCancelled: false, stopped: SIGNAL, confirm: async () => undefined },
    signal: SIGNAL,
  }
}

/** Tasks, by their modes, of all rows of a table `t` whose key is `id`. */
export const TASKS_OF_T = {
  atomic: { json: { table: 't', where: 'true' } },
  snapshot: { json: {}, select: 'select * from t', remove: 'delete from t' },
  keys: {
    json: { mode: 'keys', table: 't', where: 'true' },
    select: 'select * from t join moraine_keys using (id)',
  },
} as const

export function sourceAt(url: string): PostgresSource {
  return new PostgresSource({ url, newId: randomUUID, sleep: (ms) => sleep(ms) })
}

/** The same database as a role whose password is `secret`. */
export function sourceOfRole(url: string, role: string): PostgresSource {
  const address = new URL(url)
  address.username = role
  address.password = 'secret'
  return sourceAt(address.href)
}

/** What a run without a service has. */
export type ExportParts = ExportDependencies & {
  readonly objects: ObjectStore
  readonly files: ExportFiles
}

export function exportParts({
  objects,
  warehouse,
  source,
  nowMs = Date.now,
  tables = {} as ArchiveTableDependencies,
  archives,
}: {
  readonly objects: ObjectStore
  readonly warehouse: string
  /** The one of the tasks that name none; without it, there is none. */
  readonly source?: RowSource
  readonly nowMs?: () => number
  readonly tables?: ArchiveTableDependencies
  /** Folders outside of the warehouse. */
  readonly archives?: ArchivePlaces
}): ExportParts {
  return {
    ...{ objects, tables },
    ambient: { nowMs, newUuid: randomUUID, random: () => 0.5, sleep: (ms) => sleep(ms) },
    exportSources: new Map(source === undefined ? [] : [['default', source]]),
    files: new ExportFiles({ objects, warehouse, ...(archives && { archives }) }),
  }
}

/** Texts of the archived files of the task `t`, in `latin1`, the newest first. */
export async function archivedTexts({ files }: ExportParts): Promise<readonly string[]> {
  const texts: string[] = []
  for (const receipt of await files.list('t', { before: undefined, limit: 1_000 })) {
    const chunks = []
    for await (const chunk of files.read(receipt, 0, receipt.bytes)) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const isGzip = receipt.file.endsWith('.gz')
    texts.push((isGzip ? gunzipSync(bytes) : bytes).toString('latin1'))
  }
  return texts
}

/** First values of the archived rows of the task `t`. */
export async function archivedIds(parts: ExportParts): Promise<readonly number[]> {
  const lines = (await archivedTexts(parts)).flatMap((text) => text.trim().split('\n').slice(1))
  return lines.map((line) => Number(line.split(',')[0]))
}

export interface TestSource {
  readonly server: PostgresServer
  readonly url: string
  readonly client: pg.Client
  close(): Promise<void>
}

/** An empty database, and a connection of the test. */
export async function openTestSource(): Promise<TestSource> {
  const server = await startPostgres()
  const url = await server.newDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const close = async () => {
    await client.end()
    await server.stop()
  }
  return { server, url, client, close }
}
