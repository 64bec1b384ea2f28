import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readManifestList } from '../../src/formats/manifest/manifest-list.ts'
import { appendCommit, writeAppend } from '../modules/iceberg-rest/http/engine-client.ts'
import { callService, type Json, type Told } from './caller.ts'
import type { TableChange } from './history.ts'
import type { Random } from './random.ts'
import type { Begun } from './recorder.ts'

/** How an engine gets at the files of tables. */
export interface EngineFiles {
  read(location: string): Promise<Uint8Array>
  put?(location: string, bytes: Uint8Array): Promise<unknown>
}

/** Tables in folders. */
const LOCAL: EngineFiles = { read: (location) => readFile(fileURLToPath(location)) }

/**
 * An append to one table or several as an Iceberg client makes it; `undefined` when a table could
 * not be loaded.
 */
export async function appendByRest(
  url: string,
  { id, changes }: Begun,
  random: Random,
  files = LOCAL,
): Promise<Told | undefined> {
  const commits: Json[] = []
  for (const change of changes) {
    const { status, body } = await callService(tableUrl(url, change))
    if (status !== 200) return undefined
    const json = await commitOf(body.metadata, { id, change, random, files })
    commits.push({ identifier: { namespace: ['default'], name: change.table }, ...json })
  }
  const [only] = changes
  if (only !== undefined && changes.length === 1) {
    return callService(tableUrl(url, only), { json: commits[0] })
  }
  return callService(`${url}/iceberg/v1/transactions/commit`, {
    json: { 'table-changes': commits },
  })
}

function tableUrl(url: string, { table }: TableChange): string {
  return `${url}/iceberg/v1/namespaces/default/tables/${table}`
}

async function commitOf(
  metadata: Json,
  {
    id,
    change,
    random,
    files: { read, put },
  }: { id: string; change: TableChange; random: Random; files: EngineFiles },
): Promise<Json> {
  const current = metadata.snapshots?.find(
    (snapshot: Json) => snapshot['snapshot-id'] === metadata['current-snapshot-id'],
  )
  const before = current === undefined ? [] : readManifestList(await read(current['manifest-list']))
  const written = await writeAppend(metadata, {
    snapshotId:
      2n ** 62n + BigInt(random.below(2 ** 31)) * 2n ** 31n + BigInt(random.below(2 ** 31)),
    files: change.added.map(({ path }) => path),
    before,
    ...(put !== undefined && { putFile: put }),
  })
  const summary = { operation: 'append', 'moraine.message': id }
  return appendCommit(metadata, { ...written.json, summary })
}
