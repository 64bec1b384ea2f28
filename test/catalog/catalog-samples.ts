import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { NewTable, TableCommit } from '../../src/catalog/table-store.ts'
import type { ViewState } from '../../src/catalog/view-store.ts'
import type { DataFile } from '../../src/core/file/data-file.ts'
import { UNPARTITIONED, UNSORTED } from '../../src/core/partition/partition-spec.ts'
import type { NewReplay, ReplayKey, ReplayRecord } from '../../src/core/replay.ts'
import type { Snapshot, SnapshotLogEntry } from '../../src/core/table/snapshot.ts'
import type { TableDefinition, TableState } from '../../src/core/table/table.ts'
import type {
  StagedFile,
  TableCommitResult,
  Transaction,
} from '../../src/core/table/transaction.ts'

export interface OpenedCatalog {
  readonly catalog: Catalog
  /** A second catalog over the same database, as another process would have. */
  readonly openAnother: (() => Promise<Catalog>) | undefined
}

export function definitionOf(tableUuid: string = randomUUID()): TableDefinition {
  const amount = {
    id: 1,
    name: 'amount',
    required: false,
    type: { kind: 'long' },
    initialDefault: 9_007_199_254_740_993n,
  } as const
  return {
    formatVersion: 2,
    tableUuid,
    location: `file:///warehouse/${tableUuid}`,
    lastColumnId: 1,
    schemas: [{ schemaId: 0, fields: [amount], identifierFieldIds: [] }],
    currentSchemaId: 0,
    partitionSpecs: [UNPARTITIONED],
    defaultSpecId: 0,
    lastPartitionId: 999,
    sortOrders: [UNSORTED],
    defaultSortOrderId: 0,
    properties: { 'moraine.steward': 'ada', ['__proto__']: 'data', $map: 'data, too' },
  }
}

export function stateOf(name: string, overrides: Partial<TableState> = {}): TableState {
  return {
    namespace: ['sky'],
    name,
    definition: definitionOf(),
    version: 0,
    lastSequenceNumber: 0n,
    lastUpdatedMs: 1_000,
    createdAtMs: 1_000,
    currentSnapshot: undefined,
    refs: {},
    metadataLocation: undefined,
    publishedVersion: -1,
    ...overrides,
  }
}

export function snapshotOf(snapshotId: bigint, overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    snapshotId,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    timestampMs: 2_000,
    operation: 'append',
    summary: { 'added-data-files': '1', 'total-records': '9223372036854775807' },
    manifestList: `file:///warehouse/metadata/${snapshotId}.avro`,
    schemaId: 0,
    ...overrides,
  }
}

export function newTable(state: TableState, overrides: Partial<NewTable> = {}): NewTable {
  return { state, snapshots: [], snapshotLog: [], addedPaths: [], ...overrides }
}

/** Creates the table and returns the state that it then has. */
export async function create(catalog: Catalog, name: string): Promise<TableState> {
  const state = stateOf(name)
  expect(await catalog.tables.create(newTable(state))).toBe('created')
  return state
}

/** The whole snapshot log of a table, oldest first. */
export async function logOf(
  { snapshots }: Pick<Catalog, 'snapshots'>,
  tableUuid: string,
): Promise<SnapshotLogEntry[]> {
  const log: SnapshotLogEntry[] = []
  for await (const page of snapshots.readLog(tableUuid)) {
    for (const { timestampMs, snapshotId } of page) log.push({ timestampMs, snapshotId })
  }
  return log
}

/** All namespaces below `parent`, each before its children. */
export async function allNamespaces(
  catalog: Pick<Catalog, 'namespaces'>,
  parent: readonly string[] = [],
): Promise<(readonly string[])[]> {
  const children = await catalog.namespaces.listChildren({ parent, limit: 1_000 })
  const trees = await Promise.all(
    children.map(async (child) => [child, ...(await allNamespaces(catalog, child))]),
  )
  return trees.flat()
}

/** A commit of one snapshot upon `state`. */
export function appendTo(state: TableState, snapshotId: bigint, paths: string[] = []): TableCommit {
  const snapshot = snapshotOf(snapshotId, {
    parentSnapshotId: state.currentSnapshot?.snapshotId ?? null,
    sequenceNumber: state.lastSequenceNumber + 1n,
    timestampMs: state.lastUpdatedMs + 1,
  })
  return {
    expectedVersion: state.version,
    state: {
      ...state,
      version: state.version + 1,
      lastSequenceNumber: snapshot.sequenceNumber,
      lastUpdatedMs: snapshot.timestampMs,
      currentSnapshot: snapshot,
    },
    newSnapshots: [snapshot],
    newLogEntries: [{ timestampMs: snapshot.timestampMs, snapshotId }],
    addedPaths: paths,
  }
}

export function openTransaction(overrides: Partial<Transaction> = {}): Transaction {
  return {
    transactionId: randomUUID(),
    state: 'open',
    isolation: 'snapshot',
    author: 'ada',
    message: 'first \u0000 light',
    createdAtMs: 1_000,
    expiresAtMs: 5_000,
    endedAtMs: null,
    revision: 0,
    results: [],
    ...overrides,
  }
}

export function committed(transaction: Transaction, tableUuid: string): Transaction {
  const result: TableCommitResult = {
    tableUuid,
    table: 'sky.planets',
    snapshotId: 2n ** 63n - 1n,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    timestampMs: 2_000,
    operation: 'append',
    addedDataFiles: 1,
    addedRecords: 10,
    removedDataFiles: 0,
    removedRecords: 0,
  }
  return { ...transaction, state: 'committed', endedAtMs: 2_000, results: [result] }
}

export function dataFileOf(path: string): DataFile {
  return {
    content: 'data',
    path,
    format: 'parquet',
    specId: 0,
    partition: [],
    recordCount: 10,
    fileSizeBytes: 1_000,
  }
}

export function stagedFileOf(path: string): StagedFile {
  return { dataFile: dataFileOf(path), hasFieldIds: false }
}

export function viewOf(name: string, overrides: Partial<ViewState> = {}): ViewState {
  return {
    viewUuid: randomUUID(),
    namespace: ['sky'],
    name,
    version: 0,
    metadata: '{"format-version":1}',
    metadataLocation: 'file:///views/00000.metadata.json',
    createdAtMs: 1_000,
    lastUpdatedMs: 1_000,
    ...overrides,
  }
}

export function replayOf(key: string, overrides: Partial<NewReplay> = {}): NewReplay {
  return {
    ...idOf(key),
    requestHash: 'a94a8fe5',
    bodyHash: null,
    status: 200,
    body: '{"table":"sky.planets"}',
    expiresAtMs: 5_000,
    nowMs: 1_000,
    ...overrides,
  }
}

export function idOf(key: string): ReplayKey {
  return { principal: 'anonymous', key }
}

/** What of it is found again. */
export function recordOf({ nowMs: _, reservedBy: _owner, ...record }: NewReplay): ReplayRecord {
  return record
}
