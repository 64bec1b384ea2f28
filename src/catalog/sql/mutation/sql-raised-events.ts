import { randomUUID } from 'node:crypto'
import { type Compilable, sql } from 'kysely'
import type { EventOrigin } from '../../../core/event-origin.ts'
import type { TableState } from '../../../core/table/table.ts'
import { formatTableName } from '../../../core/table/table-name.ts'
import type { EventData, EventType } from '../../event-store.ts'
import type { CatalogCommit, TableCommit } from '../../table-store.ts'
import type { ViewState } from '../../view-store.ts'
import { chunks, type SqlEngine, type SqlTransaction } from '../engine/sql-engine.ts'
import { type Param, prepared, rowOf } from '../engine/sql-prepared.ts'
import type { EventRow } from '../engine/sql-schema.ts'

/** What a mutation tells; the rest of the row is added when it is inserted. */
export interface RaisedEvent {
  readonly type: EventType
  readonly subject: string
  readonly name: string
  readonly version: number
  readonly data: EventData
}

/** Where changes tell what they did, and for whom. */
export type Raising = Pick<RaisedEvents, 'principal' | 'raise'>

type Named = Pick<TableState, 'namespace' | 'name'>

type NewRow = Omit<EventRow, 'position' | 'written'>

const NEW_COLUMNS = [
  ...(['event_id', 'type', 'subject', 'name', 'version', 'time_ms', 'data'] as const),
  ...(['principal', 'request_id', 'address'] as const),
] satisfies readonly (keyof NewRow)[]

/** PostgreSQL's clock at this very moment, in epoch milliseconds. */
export const DATABASE_MS = sql<bigint>`
  cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)`

const insertDated = prepared((connection, param: Param<NewRow>) =>
  connection.insertInto('events').values(rowOf(NEW_COLUMNS, param)),
)

const insertAndDate = prepared((connection, param: Param<NewRow>) =>
  connection.insertInto('events').values({ ...rowOf(NEW_COLUMNS, param), time_ms: DATABASE_MS }),
)

/**
 * What one mutation raises, until it is inserted. Each event is raised after the row that it tells
 * of was changed, and so under its lock.
 */
export class RaisedEvents {
  readonly #origin: EventOrigin
  readonly #hasOwnClock: boolean
  #raised: RaisedEvent[] = []

  constructor({ hasOwnClock }: Pick<SqlEngine, 'hasOwnClock'>, origin: EventOrigin = {}) {
    this.#hasOwnClock = hasOwnClock
    this.#origin = origin
  }

  /** Who asked for the mutation. */
  get principal(): string | undefined {
    return this.#origin.principal
  }

  raise(event: RaisedEvent): void {
    this.#raised.push(event)
  }

  /**
   * Those that were raised since the last call, as statements of the same transaction: one, unless
   * there are very many.
   */
  takeInserts(transaction: SqlTransaction): readonly Compilable[] {
    const rows = this.#raised.map((event) => this.#rowOf(event))
    this.#raised = []
    const [first, ...others] = rows
    if (first === undefined) return []
    const isDated = !this.#hasOwnClock
    if (others.length === 0) {
      const insert = isDated ? insertDated : insertAndDate
      return [{ compile: () => insert(transaction, first) }]
    }
    // Rows of one statement are written in their order; statements that run together are not.
    return [...chunks(rows)].map((some) =>
      transaction
        .insertInto('events')
        .values(isDated ? some : some.map((row) => ({ ...row, time_ms: DATABASE_MS }))),
    )
  }

  #rowOf({ type, subject, name, version, data }: RaisedEvent): NewRow {
    const { principal, requestId, address } = this.#origin
    return {
      event_id: randomUUID(),
      type,
      subject,
      name,
      version: BigInt(version),
      time_ms: BigInt(Date.now()),
      data: JSON.stringify(data),
      principal: principal ?? null,
      request_id: requestId ?? null,
      address: address ?? null,
    }
  }
}

export function tableCreated(state: TableState, replaces?: string): RaisedEvent {
  return {
    type: replaces === undefined ? 'moraine.table.created.v1' : 'moraine.table.replaced.v1',
    ...ofTable(state),
    data: { ...tableData(state), ...(replaces !== undefined && { replaced_table_uuid: replaces }) },
  }
}

/** `before`: what the table was called, when that has changed. */
export function tableCommitted(
  { state, newSnapshots }: TableCommit,
  { transactions }: CatalogCommit,
  before?: Named,
): RaisedEvent {
  return {
    type: before === undefined ? 'moraine.table.committed.v1' : 'moraine.table.renamed.v1',
    ...ofTable(state),
    data: {
      ...tableData(state),
      new_snapshots: newSnapshots.map((snapshot) => ({
        snapshot_id: String(snapshot.snapshotId),
        parent_snapshot_id: idText(snapshot.parentSnapshotId),
        sequence_number: String(snapshot.sequenceNumber),
        operation: snapshot.operation,
      })),
      transaction_ids: transactions.map(({ transaction }) => transaction.transactionId),
      ...(before !== undefined && { before: namesOf(before) }),
    },
  }
}

/**
 * `version`: one more than the last that the table had; `metadataLocation`: the file of the last
 * one, if it was written.
 */
export function tableDropped(
  table: Named & { tableUuid: string; version: number; metadataLocation: string | null },
): RaisedEvent {
  const { namespace, name, tableUuid, version, metadataLocation } = table
  return {
    type: 'moraine.table.dropped.v1',
    subject: tableUuid,
    name: formatTableName(namespace, name),
    version,
    data: { ...namesOf(table), metadata_location: metadataLocation },
  }
}

function ofTable({ definition, namespace, name, version }: TableState) {
  return { subject: definition.tableUuid, name: formatTableName(namespace, name), version }
}

function tableData(state: TableState): EventData {
  return {
    ...namesOf(state),
    snapshot_id: idText(state.currentSnapshot?.snapshotId ?? null),
    schema_id: state.definition.currentSchemaId,
  }
}

export function viewEvent(
  type: EventType,
  view: Pick<ViewState, 'namespace' | 'name' | 'version' | 'viewUuid'>,
  before?: Named,
): RaisedEvent {
  const { namespace, name, version, viewUuid } = view
  return {
    type,
    subject: viewUuid,
    name: formatTableName(namespace, name),
    version,
    data: { ...namesOf(view), ...(before !== undefined && { before: namesOf(before) }) },
  }
}

export function namespaceEvent(
  type: EventType,
  levels: readonly string[],
  data: EventData = {},
): RaisedEvent {
  const name = levels.join('.')
  return { type, subject: name, name, version: 0, data: { namespace: levels, ...data } }
}

function namesOf({ namespace, name }: Named): EventData {
  return { namespace, name }
}

function idText(id: bigint | null): string | null {
  return id === null ? null : String(id)
}
