import { callService, type Json } from './caller.ts'
import type { LoggedSnapshot, Reading, TableLog } from './history.ts'

const AT_ONCE = 4

/**
 * The logs as they are when all is over, with the files of every snapshot by its id and as at its
 * time.
 */
export async function readLogs(
  url: string,
  tables: readonly string[],
): Promise<{ readonly tables: TableLog[]; readonly readings: Reading[] }> {
  const logs: TableLog[] = []
  const readings: Reading[] = []
  for (const table of tables) {
    const listed = await listSnapshots(url, table)
    const snapshots: LoggedSnapshot[] = new Array(listed.length)
    const pending = [...listed.entries()]
    const work = Array.from({ length: AT_ONCE }, async () => {
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        const [index, json] = next
        snapshots[index] = await readSnapshot(url, table, json)
        readings.push(await readAsAt(url, table, Date.parse(json.logged_at)))
      }
    })
    await Promise.all(work)
    logs.push({ table, snapshots })
  }
  return { tables: logs, readings }
}

/** Oldest first. */
async function listSnapshots(url: string, table: string): Promise<Json[]> {
  const snapshots: Json[] = []
  for (let token: string | null = ''; token !== null; ) {
    const page = token === '' ? '' : `&page_token=${token}`
    const answer = await get(`${url}/v1/tables/${table}/snapshots?page_size=1000${page}`)
    snapshots.push(...answer.snapshots)
    token = answer.next_page_token
  }
  return snapshots.reverse()
}

async function readSnapshot(url: string, table: string, json: Json): Promise<LoggedSnapshot> {
  const { data_files, totals } = await get(`${url}/v1/tables/${table}/${json.snapshot_id}`)
  return {
    snapshotId: json.snapshot_id,
    parentSnapshotId: json.parent_snapshot_id,
    sequenceNumber: json.sequence_number,
    // When it became current: an Iceberg client says its own time of the snapshot.
    timestampMs: Date.parse(json.logged_at),
    operation: json.operation,
    operationIds: (json.message ?? '').split('; '),
    transactionIds: json.transaction_ids,
    files: data_files.map((file: Json) => file.path),
    // Of the summary: other writers than the service leave them out.
    totalFiles: Number(json.summary['total-data-files'] ?? totals.data_files),
    totalRecords: Number(json.summary['total-records'] ?? totals.records),
  }
}

async function readAsAt(url: string, table: string, asAtMs: number): Promise<Reading> {
  const { snapshot, data_files } = await get(`${url}/v1/tables/${table}?as_at=${asAtMs}`)
  const snapshotId = snapshot?.snapshot_id ?? null
  const files = data_files.map((file: Json) => file.path)
  return { table, asAtMs, snapshotId, files, calledAt: Infinity, answeredAt: Infinity }
}

async function get(url: string): Promise<Json> {
  const { status, body } = await callService(url)
  if (status !== 200) throw new Error(`${url}: ${status} ${JSON.stringify(body)}`)
  return body
}
