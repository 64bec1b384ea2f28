import { describePartitioning } from '../../core/partition/partitioning.ts'
import { describeColumns } from '../../core/schema/column-definition.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { currentSchema, defaultSpec, type TableState } from '../../core/table/table.ts'
import { formatIdentifier } from '../../core/table/table-name.ts'
import {
  type AliasesById,
  keepsFiles,
  readAliases,
  readDescription,
} from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { aroundMember } from '../../formats/json/json-text.ts'
import { timeText } from '../../http/common-shapes.ts'
import { transactionIdsOf } from '../../lake/commit/transaction-summary.ts'
import { DataFileWriter, SHOWN_METRICS } from './data-file-response.ts'
import type { DropReport, PurgeChoice } from './drop-table.ts'
import type { listTables, TableReading } from './tables.ts'

/** Named in the answer to a drop. */
const HOLDERS_MAX = 100

/** Many changes a millisecond put the stamps ahead of the clock, but not by this much. */
const AHEAD_MS = 60_000

type TableSummary = Awaited<ReturnType<typeof listTables>>[number]

/** The table without its data files, at its newest snapshot by default. */
export function tableToJson(
  state: TableState,
  shown: {
    readonly snapshot: Snapshot | undefined
    readonly schema: Schema
    readonly metadataLocation: string | undefined
  } = {
    snapshot: state.currentSnapshot,
    schema: currentSchema(state.definition),
    metadataLocation: state.metadataLocation,
  },
) {
  const { definition } = state
  const { snapshot, schema } = shown
  return {
    table_id: definition.tableUuid,
    name: state.name,
    namespace: state.namespace.join('.'),
    identifier: formatIdentifier(state, definition.tableUuid),
    ...readDescription(definition.properties),
    location: definition.location,
    format_version: definition.formatVersion,
    created_at: timeText(state.createdAtMs),
    updated_at: timeText(state.lastUpdatedMs),
    metadata_location: shown.metadataLocation ?? null,
    schema: schemaToJson(schema, readAliases(definition.properties)),
    partitioning: describePartitioning(defaultSpec(definition), currentSchema(definition)),
    refs: Object.fromEntries(
      Object.entries(state.refs).map(([name, ref]) => [
        name,
        { type: ref.type, snapshot_id: ref.snapshotId.toString() },
      ]),
    ),
    snapshot: snapshot === undefined ? null : snapshotToJson(snapshot),
  }
}

export function schemasToJson({ definition }: TableState) {
  const aliasesById = readAliases(definition.properties)
  return {
    current_schema_id: definition.currentSchemaId,
    schemas: definition.schemas.map((schema) => schemaToJson(schema, aliasesById)),
  }
}

/** The same as one JSON document in pieces, one for each schema. */
export function* schemasAsJson({ definition }: TableState): Generator<string> {
  const aliasesById = readAliases(definition.properties)
  const before = { current_schema_id: definition.currentSchemaId }
  const { head, end } = aroundMember('schemas', { before })
  yield `${head}[`
  let separator = ''
  for (const schema of definition.schemas) {
    yield separator + stringifyExactJson(schemaToJson(schema, aliasesById))
    separator = ','
  }
  yield `]${end}`
}

function schemaToJson(schema: Schema, aliasesById: AliasesById) {
  return { schema_id: schema.schemaId, columns: describeColumns(schema, aliasesById) }
}

export function snapshotToJson(snapshot: Snapshot) {
  return {
    snapshot_id: snapshot.snapshotId.toString(),
    parent_snapshot_id: snapshot.parentSnapshotId?.toString() ?? null,
    sequence_number: snapshot.sequenceNumber.toString(),
    timestamp: timeText(snapshot.timestampMs),
    operation: snapshot.operation,
    schema_id: snapshot.schemaId,
    manifest_list: snapshot.manifestList,
    summary: snapshot.summary,
    transaction_ids: transactionIdsOf(snapshot),
    author: snapshot.summary['moraine.author'] ?? null,
    message: snapshot.summary['moraine.message'] ?? null,
  }
}

export function summaryToJson(table: TableSummary) {
  return {
    table_id: table.tableUuid,
    name: table.name,
    namespace: table.namespace.join('.'),
    identifier: formatIdentifier(table, table.tableUuid),
    location: table.location,
    created_at: timeText(table.createdAtMs),
    updated_at: timeText(table.lastUpdatedMs),
    current_snapshot_id: table.currentSnapshotId?.toString() ?? null,
  }
}

/** One JSON document in pieces: the table itself, then its data files one by one. */
export function* readingAsJson(reading: TableReading): Generator<string> {
  const { state, plan } = reading
  const { dataFiles, liveRecords, records, bytes } = plan.totals
  const before = {
    ...tableToJson(state, reading),
    planning: { manifests: plan.manifests, files: plan.files },
    totals: {
      data_files: dataFiles,
      records: liveRecords ?? null,
      records_in_files: records,
      bytes,
    },
    warnings: warningsOf(reading),
  }
  const { head, end } = aroundMember('data_files', { before })
  yield `${head}[`
  const writer = new DataFileWriter(state.definition, reading.schema)
  let separator = '\n'
  for (const file of plan.plannedFiles(SHOWN_METRICS)) {
    yield separator + writer.toJson(file)
    separator = ',\n'
  }
  yield `]${end}`
}

/** What would surprise who reads the table by its times. */
function warningsOf({ state, aheadMs }: TableReading): readonly string[] {
  if (aheadMs < AHEAD_MS) return []
  const seconds = Math.round(aheadMs / 1000)
  return [
    `the last change of this table is stamped ${timeText(state.lastUpdatedMs)}, ` +
      `${seconds} s ahead of the clock of this service: a clock is or was wrong. An as_at in the ` +
      'past does not show changes with such stamps; snapshot_id does. New changes are stamped a ' +
      'millisecond after the last one until the clock has caught up',
  ]
}

/** One data file on each line. */
export function* readingAsNdjson({ state, schema, plan }: TableReading): Generator<string> {
  const writer = new DataFileWriter(state.definition, schema)
  for (const file of plan.plannedFiles(SHOWN_METRICS)) yield `${writer.toJson(file)}\n`
}

export function droppedToJson(
  { state, metadataLocation, deletedFiles, scheduledFiles, keptFiles, holders }: DropReport,
  purge: PurgeChoice,
) {
  const { table_id, identifier } = tableToJson(state)
  const mostFirst = holders.toSorted((a, b) => b.files - a.files).slice(0, HOLDERS_MAX)
  return {
    ...{ identifier, table_id, purged: purge !== false && scheduledFiles === 0 },
    metadata_location: metadataLocation ?? null,
    deleted_files: deletedFiles,
    scheduled_files: scheduledFiles,
    kept_files: keptFiles,
    held_by: mostFirst.map(({ kind, name, tableUuid, ref = null, files }) => {
      return { kind, name, table_id: tableUuid, ref, files }
    }),
    ...(keptFiles > 0 && holders.length === 0 && { notes: [keptBy(state)] }),
  }
}

/** Why files stay that nothing else names. */
function keptBy({ definition: { properties, location } }: TableState): string {
  return keepsFiles(properties)
    ? 'nothing else names the kept files: the table keeps them by its property gc.enabled=false'
    : 'nothing else names the kept files: they were added by path, and are neither below ' +
        `${location} nor where another table is or was, so they are not the service’s to delete`
}
