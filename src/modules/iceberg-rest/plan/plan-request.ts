import { createHash } from 'node:crypto'
import type { Stores } from '../../../catalog/catalog.ts'
import { CatalogError } from '../../../core/errors.ts'
import {
  bindIcebergExpression,
  ColumnNames,
} from '../../../core/filter/bind/iceberg-expression-binding.ts'
import { parseIcebergExpression } from '../../../core/filter/parse/iceberg-expression.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import { currentSchema, getSchema, type TableState } from '../../../core/table/table.ts'
import type { Schema } from '../../../core/value/type.ts'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import type { JsonNode } from '../../../formats/json/json-node.ts'
import { schemaToJson } from '../../../formats/metadata/schema-json.ts'
import { LIST_LENGTH_MAX } from '../requests/request-bounds.ts'
import { requestNode } from '../requests/table-request-json.ts'
import { STATS_FIELDS_MAX } from './plan-limits.ts'
import type { ScanSpec } from './plan-token.ts'

/** 96 bits. */
const CONTENT_LENGTH = 16

/** Iceberg REST specification, `PlanTableScanRequest`. */
interface PlanTableScanRequest {
  readonly snapshotId: bigint | undefined
  readonly startSnapshotId: bigint | undefined
  readonly endSnapshotId: bigint | undefined
  readonly select: readonly string[]
  readonly statsFields: readonly string[]
  readonly filter: unknown
  readonly caseSensitive: boolean
  readonly useSnapshotSchema: boolean
}

/**
 * The request with its snapshot and schema resolved, so that they stay the same for every page.
 * Throws `request-invalid` or `filter-invalid`.
 */
export async function scanSpecOf(
  { catalog }: Stores<'snapshots'>,
  state: TableState,
  json: unknown,
): Promise<ScanSpec> {
  const request = readRequest(json)
  const { tableUuid } = state.definition
  const snapshotId = request.snapshotId ?? request.endSnapshotId
  const snapshot =
    snapshotId === undefined || snapshotId === state.currentSnapshot?.snapshotId
      ? state.currentSnapshot
      : await catalog.snapshots.find(tableUuid, snapshotId)
  if (snapshot === undefined && snapshotId !== undefined) throw snapshotNotFound(snapshotId)
  const schema =
    request.useSnapshotSchema && snapshot !== undefined
      ? getSchema(state.definition, snapshot.schemaId)
      : currentSchema(state.definition)
  const { caseSensitive, startSnapshotId } = request
  fieldIdsOf(request.select, { schema, caseSensitive })
  if (request.filter !== undefined) {
    bindIcebergExpression(parseIcebergExpression(request.filter), { schema, caseSensitive })
  }
  return {
    tableUuid,
    snapshotId: snapshot?.snapshotId,
    startSnapshotId,
    schemaId: schema.schemaId,
    content: contentOf(schema, snapshot),
    caseSensitive,
    statsFieldIds: fieldIdsOf(request.statsFields, { schema, caseSensitive }),
    filter: request.filter,
  }
}

/** Digest of the columns that filters are bound to, and of the manifests. */
export function contentOf(schema: Schema, snapshot: Snapshot | undefined): string {
  const columns = DIGESTS.get(schema) ?? digestOf(schemaToJson(schema))
  DIGESTS.set(schema, columns)
  return digestOf([columns, snapshot?.manifestList ?? null])
}

/** Every page asks for it. */
const DIGESTS = new WeakMap<Schema, string>()

function digestOf(json: unknown): string {
  const hash = createHash('sha256').update(stringifyExactJson(json))
  return hash.digest('base64url').slice(0, CONTENT_LENGTH)
}

export function snapshotNotFound(snapshotId: bigint): CatalogError {
  return new CatalogError('request-invalid', `Cannot find snapshot with ID ${snapshotId}`)
}

function readRequest(json: unknown): PlanTableScanRequest {
  const node = requestNode(json, 'request-invalid')
  const [snapshotId, startSnapshotId, endSnapshotId] = [
    'snapshot-id',
    'start-snapshot-id',
    'end-snapshot-id',
  ].map((key) => node.find(key)?.long())
  const isIncremental = startSnapshotId !== undefined || endSnapshotId !== undefined
  if (snapshotId !== undefined && isIncremental) {
    throw node.error(
      'Invalid scan: cannot provide both snapshotId and startSnapshotId/endSnapshotId',
    )
  }
  if (isIncremental && (startSnapshotId === undefined || endSnapshotId === undefined)) {
    throw node.error('Invalid incremental scan: startSnapshotId and endSnapshotId is required')
  }
  const rows = node.find('min-rows-requested')
  if (rows !== undefined && rows.long() < 0n) {
    throw rows.error('Invalid scan: minRowsRequested is negative')
  }
  return {
    snapshotId,
    startSnapshotId,
    endSnapshotId,
    select: namesOf(node.find('select'), LIST_LENGTH_MAX),
    statsFields: namesOf(node.find('stats-fields'), STATS_FIELDS_MAX),
    filter: node.find('filter')?.value,
    caseSensitive: node.find('case-sensitive')?.boolean() ?? true,
    useSnapshotSchema: node.find('use-snapshot-schema')?.boolean() ?? false,
  }
}

function namesOf(node: JsonNode | undefined, itemsMax: number): readonly string[] {
  if (node === undefined) return []
  return node.items(itemsMax).map((item) => item.string())
}

/** Columns that every table implicitly has (Iceberg spec, "Reserved Field IDs"). */
const METADATA_COLUMNS = new Set([
  '_file',
  '_pos',
  '_deleted',
  '_spec_id',
  '_partition',
  '_row_id',
  '_last_updated_sequence_number',
])

function fieldIdsOf(
  names: readonly string[],
  { schema, caseSensitive }: { readonly schema: Schema; readonly caseSensitive: boolean },
): readonly number[] {
  if (names.length === 0) return []
  const columns = new ColumnNames(schema, caseSensitive)
  return names
    .filter((name) => name !== '*' && !METADATA_COLUMNS.has(name))
    .map((name) => {
      const found = columns.find(name)
      if (found !== undefined) return found.fieldId
      const shown = JSON.stringify(name.slice(0, 100))
      throw new CatalogError('request-invalid', `Cannot find field ${shown}`)
    })
}
