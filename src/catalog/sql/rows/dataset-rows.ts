import { nameKey } from '../../../core/table/name-key.ts'
import type { DatasetRecord, DatasetState, NewDataset } from '../../dataset-store.ts'
import type { DatasetRow } from '../engine/sql-schema.ts'
import { otherSecurablesOf, type Securables } from './dataset-securables.ts'
import { numberOf } from './sql-rows.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

interface RowFacts extends Securables {
  readonly version: number
  readonly asked: string | undefined
}

export function newRow(
  { expiresAtMs, ...dataset }: NewDataset,
  { version, securable, others, asked }: RowFacts,
): DatasetRow {
  return {
    table_uuid: dataset.tableUuid,
    name: dataset.name,
    name_key: nameKey(dataset.name),
    version: BigInt(version),
    identity: dataset.identity,
    living_identity: dataset.identity,
    state: dataset.table === undefined ? 'queued' : 'ready',
    source_uuid: dataset.sourceUuid,
    source_name: dataset.sourceName,
    snapshot_id: dataset.snapshotId,
    query: dataset.query === undefined ? null : encodeExact(dataset.query),
    card: encodeExact(dataset.card),
    facts: encodeExact(dataset.facts),
    problem: null,
    created_at_ms: BigInt(Math.ceil(dataset.createdAtMs)),
    created_by: asked ?? null,
    published_at_ms: null,
    expires_at_ms: expiresAtMs === undefined ? null : BigInt(Math.ceil(expiresAtMs)),
    ended_at_ms: null,
    securable,
    other_securables: others.length === 0 ? null : JSON.stringify(others),
  }
}

export function recordOf(row: DatasetRow): DatasetRecord {
  return {
    tableUuid: row.table_uuid,
    name: row.name,
    version: Number(row.version),
    identity: row.identity,
    state: row.state as DatasetState,
    sourceUuid: row.source_uuid,
    sourceName: row.source_name,
    snapshotId: row.snapshot_id,
    query: row.query === null ? undefined : decodeExact(row.query),
    card: decodeExact(row.card),
    facts: decodeExact(row.facts),
    problem: row.problem === null ? undefined : decodeExact(row.problem),
    createdAtMs: Number(row.created_at_ms),
    createdBy: row.created_by ?? undefined,
    publishedAtMs: numberOf(row.published_at_ms),
    expiresAtMs: numberOf(row.expires_at_ms),
    endedAtMs: numberOf(row.ended_at_ms),
    securable: row.securable,
    otherSecurables: otherSecurablesOf(row),
  }
}
