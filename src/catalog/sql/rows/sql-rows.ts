import { CatalogError } from '../../../core/errors.ts'
import { nameKey } from '../../../core/table/name-key.ts'
import type { Operation, Snapshot, SnapshotRef } from '../../../core/table/snapshot.ts'
import type { TableDefinition, TableState } from '../../../core/table/table.ts'
import type { Isolation, Transaction, TransactionState } from '../../../core/table/transaction.ts'
import type { SnapshotRow, TableRow, TransactionRow } from '../engine/sql-schema.ts'
import { namespaceKey } from './sql-keys.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

export const SNAPSHOT_COLUMNS = [
  ...(['table_uuid', 'snapshot_id', 'parent_snapshot_id', 'sequence_number'] as const),
  ...(['timestamp_ms', 'operation', 'summary', 'manifest_list', 'schema_id'] as const),
  ...(['first_row_id', 'added_rows'] as const),
] satisfies readonly (keyof SnapshotRow)[]

export function snapshotRow(tableUuid: string, snapshot: Snapshot): SnapshotRow {
  return {
    table_uuid: tableUuid,
    snapshot_id: snapshot.snapshotId,
    parent_snapshot_id: snapshot.parentSnapshotId,
    sequence_number: snapshot.sequenceNumber,
    timestamp_ms: BigInt(snapshot.timestampMs),
    operation: snapshot.operation,
    summary: encodeExact(snapshot.summary),
    manifest_list: snapshot.manifestList,
    schema_id: BigInt(snapshot.schemaId),
    first_row_id: snapshot.firstRowId ?? null,
    added_rows: snapshot.addedRows ?? null,
  }
}

export function snapshotOf(row: Omit<SnapshotRow, 'table_uuid'>): Snapshot {
  return {
    snapshotId: row.snapshot_id,
    parentSnapshotId: row.parent_snapshot_id,
    sequenceNumber: row.sequence_number,
    timestampMs: Number(row.timestamp_ms),
    operation: row.operation as Operation,
    summary: decodeExact<Snapshot['summary']>(row.summary),
    manifestList: row.manifest_list,
    schemaId: Number(row.schema_id),
    ...(row.first_row_id === null ? {} : { firstRowId: row.first_row_id }),
    ...(row.added_rows === null ? {} : { addedRows: row.added_rows }),
  }
}

export function logRows(
  tableUuid: string,
  entries: readonly { readonly timestampMs: number; readonly snapshotId: bigint }[],
  firstPosition: bigint,
) {
  return entries.map((entry, index) => ({
    table_uuid: tableUuid,
    timestamp_ms: BigInt(entry.timestampMs),
    position: firstPosition + BigInt(index),
    snapshot_id: entry.snapshotId,
  }))
}

export const CHANGING_COLUMNS = [
  ...(['location', 'version', 'current_snapshot_id', 'last_sequence_number'] as const),
  ...(['refs', 'last_updated_ms'] as const),
] satisfies readonly (keyof ReturnType<typeof changingColumns>)[]

/** The columns that a commit may change; the definition apart, because it seldom does. */
export function changingColumns(state: TableState) {
  return {
    location: state.definition.location,
    version: BigInt(state.version),
    current_snapshot_id: state.currentSnapshot?.snapshotId ?? null,
    last_sequence_number: state.lastSequenceNumber,
    refs: encodeExact(state.refs),
    last_updated_ms: BigInt(state.lastUpdatedMs),
  }
}

/** What a table or view is called: compared exactly, it tells a rename. */
export function nameColumns(state: Pick<TableState, 'namespace' | 'name'>) {
  return {
    namespace_key: namespaceKey(state.namespace),
    name_key: nameKey(state.name),
    namespace: encodeExact(state.namespace),
    name: state.name,
  }
}

export function tableStateOf(
  row: TableRow,
  snapshot: SnapshotRow | undefined,
  definition: TableDefinition,
): TableState {
  if (row.current_snapshot_id !== null && snapshot === undefined) {
    const detail = `table ${row.table_uuid} lacks its current snapshot ${row.current_snapshot_id}`
    throw new CatalogError('metadata-corrupt', detail)
  }
  return {
    namespace: decodeExact<readonly string[]>(row.namespace),
    name: row.name,
    definition,
    version: Number(row.version),
    lastSequenceNumber: row.last_sequence_number,
    lastUpdatedMs: Number(row.last_updated_ms),
    createdAtMs: Number(row.created_at_ms),
    currentSnapshot: snapshot === undefined ? undefined : snapshotOf(snapshot),
    refs: decodeExact<Readonly<Record<string, SnapshotRef>>>(row.refs),
    metadataLocation: row.metadata_location ?? undefined,
    publishedVersion: Number(row.published_version),
  }
}

export const TRANSACTION_COLUMNS = [
  ...(['transaction_id', 'state', 'isolation', 'details', 'created_at_ms'] as const),
  ...(['expires_at_ms', 'ended_at_ms', 'results', 'staged_file_count', 'revision'] as const),
] satisfies readonly (keyof TransactionRow)[]

export function transactionRow(transaction: Transaction): TransactionRow {
  return {
    transaction_id: transaction.transactionId,
    state: transaction.state,
    isolation: transaction.isolation,
    // As JSON, because free text may hold what PostgreSQL's text cannot: NUL and lone surrogates.
    details: encodeExact({ author: transaction.author, message: transaction.message }),
    created_at_ms: BigInt(transaction.createdAtMs),
    expires_at_ms: BigInt(transaction.expiresAtMs),
    ended_at_ms: transaction.endedAtMs === null ? null : BigInt(transaction.endedAtMs),
    results: encodeExact(transaction.results),
    staged_file_count: 0n,
    revision: BigInt(transaction.revision),
  }
}

export function transactionOf(row: TransactionRow): Transaction {
  const { author, message } = decodeExact<Pick<Transaction, 'author' | 'message'>>(row.details)
  return {
    transactionId: row.transaction_id,
    state: row.state as TransactionState,
    isolation: row.isolation as Isolation,
    author,
    message,
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    endedAtMs: row.ended_at_ms === null ? null : Number(row.ended_at_ms),
    revision: Number(row.revision),
    results: decodeExact<Transaction['results']>(row.results),
  }
}

/** A number that may be missing. */
export function numberOf(value: bigint | null): number | undefined {
  return value === null ? undefined : Number(value)
}
