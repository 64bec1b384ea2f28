import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseExactJson, stringifyExactJson } from '../src/formats/json/exact-json.ts'
import type { Answer } from './client.ts'
import { HttpConnection, type Question } from './http-connection.ts'
import { writeBenchSnapshot } from './rest-snapshot.ts'

/** A server of the Iceberg REST API, and where its `v1` is. */
export interface RestServer {
  readonly name: string
  readonly url: string
  readonly root: string
  readonly pid: number
  /** A folder in which it reads table metadata. */
  readonly warehouse: string
}

export const SCHEMA = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
}

/** Returns the reply's JSON with all 64 bits; throws for anything but a 2xx. */
export async function mustAsk(connection: HttpConnection, question: Question): Promise<Answer> {
  const { status, body } = await connection.ask(question)
  const text = body.toString()
  if (status < 300) return text === '' ? undefined : parseExactJson(text)
  throw new Error(`${question.path}: ${status} ${text.slice(0, 500)}`)
}

export async function makeNamespace({ url, root }: RestServer): Promise<void> {
  const connection = await HttpConnection.open(url)
  const body = JSON.stringify({ namespace: ['bench'] })
  await mustAsk(connection, { method: 'POST', path: `${root}/namespaces`, body })
  connection.close()
}

/** Returns the path of the table. */
export async function makeTable({ url, root }: RestServer, name: string): Promise<string> {
  const connection = await HttpConnection.open(url)
  const path = `${root}/namespaces/bench/tables`
  await mustAsk(connection, {
    ...{ method: 'POST', path, body: JSON.stringify({ name, schema: SCHEMA }) },
  })
  connection.close()
  return `${path}/${name}`
}

/**
 * Writes a table as if by another catalog, all snapshots with one manifest list; returns its path.
 */
export async function registerLongTable(
  server: RestServer,
  snapshotCount: number,
): Promise<string> {
  const connection = await HttpConnection.open(server.url)
  const seed = await makeTable(server, 'seed')
  const made = await mustAsk(connection, { path: seed })
  const folder = join(server.warehouse, 'bench', 'long')
  const path = join(folder, 'metadata', '00001-x.metadata.json')
  mkdirSync(join(folder, 'metadata'), { recursive: true })
  writeFileSync(path, stringifyExactJson(longMetadata(made.metadata, folder, snapshotCount)))
  const body = JSON.stringify({ name: 'long', 'metadata-location': `file://${path}` })
  const namespace = `${server.root}/namespaces/bench`
  await mustAsk(connection, { method: 'POST', path: `${namespace}/register`, body })
  connection.close()
  return `${namespace}/tables/long`
}

function longMetadata(seed: Answer, folder: string, snapshotCount: number): unknown {
  const written = writeBenchSnapshot(seed, 1n)
  const start = Date.now() - snapshotCount * 1000
  const snapshots = Array.from({ length: snapshotCount }, (_, i) => ({
    ...written,
    'snapshot-id': 4_000_000_000_000_000_000n + BigInt(i),
    'sequence-number': i + 1,
    'timestamp-ms': start + i * 1000,
    summary: {
      ...{ operation: 'append', 'added-data-files': '1', 'added-records': '1000' },
      ...{ 'total-data-files': `${i + 1}`, 'total-records': `${i * 1000}` },
      ...{ 'spark.app.id': `local-${start}`, 'engine-name': 'spark', 'engine-version': '3.5.1' },
    },
  }))
  const last = snapshots.at(-1)
  return {
    ...seed,
    'table-uuid': '11111111-2222-4333-8444-555555555555',
    location: `file://${folder}`,
    'last-sequence-number': snapshotCount,
    'last-updated-ms': last?.['timestamp-ms'],
    'current-snapshot-id': last?.['snapshot-id'],
    refs: { main: { type: 'branch', 'snapshot-id': last?.['snapshot-id'] } },
    snapshots,
    'snapshot-log': snapshots.map((s) => ({
      ...{ 'snapshot-id': s['snapshot-id'], 'timestamp-ms': s['timestamp-ms'] },
    })),
    'metadata-log': [],
  }
}
