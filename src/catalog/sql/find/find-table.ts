import { CatalogError } from '../../../core/errors.ts'
import { nameKey } from '../../../core/table/name-key.ts'
import type { TableState } from '../../../core/table/table.ts'
import type { ListTablesQuery, TableKey, TableSummary } from '../../table-store.ts'
import { isVisible } from '../access/visible-rows.ts'
import type { Connection } from '../engine/sql-engine.ts'
import { type Param, prepared } from '../engine/sql-prepared.ts'
import type { SnapshotRow } from '../engine/sql-schema.ts'
import type { DefinitionCache, KnownDefinition } from '../rows/definition-cache.ts'
import { DATASETS_KEY, namespaceKey, prefixEnd } from '../rows/sql-keys.ts'
import { tableStateOf } from '../rows/sql-rows.ts'
import { decodeExact } from '../rows/tagged-json.ts'

/** The definition of which table in which version is not read. */
interface Spared {
  readonly sparedUuid: string
  readonly sparedVersion: bigint
}

const NOTHING_SPARED: Spared = { sparedUuid: '', sparedVersion: -1n }

const tableByUuid = prepared((connection, param: Param<Spared & { tableUuid: string }>) =>
  selectTable(connection, param).where('t.table_uuid', '=', param('tableUuid')),
)

const tableByName = prepared(
  (connection, param: Param<Spared & { namespaceKey: string; nameKey: string }>) =>
    selectTable(connection, param)
      .where('t.namespace_key', '=', param('namespaceKey'))
      .where('t.name_key', '=', param('nameKey')),
)

/** With its current snapshot. */
function selectTable(connection: Connection, param: Param<Spared>) {
  return connection
    .selectFrom('tables as t')
    .leftJoin('table_definitions as d', (join) =>
      join
        .onRef('d.table_uuid', '=', 't.table_uuid')
        .on(({ not, and, eb }) =>
          not(
            and([
              eb('t.table_uuid', '=', param('sparedUuid')),
              eb('t.version', '=', param('sparedVersion')),
            ]),
          ),
        ),
    )
    .leftJoin('snapshots as s', (join) =>
      join
        .onRef('s.table_uuid', '=', 't.table_uuid')
        .onRef('s.snapshot_id', '=', 't.current_snapshot_id'),
    )
    .selectAll('t')
    .select('d.definition')
    .select(['s.snapshot_id', 's.parent_snapshot_id', 's.sequence_number', 's.timestamp_ms'])
    .select(['s.operation', 's.summary', 's.manifest_list', 's.schema_id'])
    .select(['s.first_row_id', 's.added_rows'])
}

/** `definitions` gets to know it, so that it need not be read again. */
export async function findTable(
  connection: Connection,
  key: TableKey,
  definitions: DefinitionCache,
): Promise<TableState | undefined> {
  const known = definitions.find(key)
  const spared = known === undefined ? NOTHING_SPARED : sparedOf(known)
  const query =
    'tableUuid' in key
      ? tableByUuid(connection, { tableUuid: key.tableUuid, ...spared })
      : tableByName(connection, {
          namespaceKey: namespaceKey(key.namespace),
          nameKey: nameKey(key.name),
          ...spared,
        })
  const { rows } = await connection.executeQuery(query)
  const [row] = rows
  if (row === undefined) return undefined
  const { table_uuid: tableUuid } = row
  const definition =
    row.definition === null
      ? known?.definition
      : definitions.decode(tableUuid, row.definition, Number(row.version))
  if (definition === undefined) {
    throw new CatalogError('metadata-corrupt', `table ${tableUuid} lacks its definition`)
  }
  if (!('tableUuid' in key)) definitions.rememberName(key, definition)
  // The joined columns are all there or all null.
  const snapshot = row.snapshot_id === null ? undefined : (row as SnapshotRow)
  return tableStateOf(row, snapshot, definition)
}

/** `undefined` if the table is not there. */
export async function findTableVersion(
  connection: Connection,
  tableUuid: string,
): Promise<number | undefined> {
  const row = await connection
    .selectFrom('tables')
    .select('version')
    .where('table_uuid', '=', tableUuid)
    .executeTakeFirst()
  return row && Number(row.version)
}

function sparedOf({ definition, version }: KnownDefinition): Spared {
  return { sparedUuid: definition.tableUuid, sparedVersion: BigInt(version) }
}

export async function listTables(
  connection: Connection,
  { namespace, prefix, after, limit, visibleTo, withDatasets = false }: ListTablesQuery,
): Promise<readonly TableSummary[]> {
  let query = connection
    .selectFrom('tables')
    .select(['namespace', 'name', 'table_uuid', 'location', 'created_at_ms', 'last_updated_ms'])
    .select('current_snapshot_id')
    .orderBy('namespace_key')
    .orderBy('name_key')
    .limit(limit)
  if (namespace !== undefined) query = query.where('namespace_key', '=', namespaceKey(namespace))
  if (prefix !== undefined) {
    const start = nameKey(prefix)
    const end = prefixEnd(start)
    query = query.where('name_key', '>=', start)
    if (end !== undefined) query = query.where('name_key', '<', end)
  }
  if (after !== undefined) {
    const start = [namespaceKey(after.namespace), nameKey(after.name)] as const
    query = query.where((where) =>
      where(where.refTuple('namespace_key', 'name_key'), '>', where.tuple(...start)),
    )
  }
  if (visibleTo !== undefined) query = query.where(isVisible(visibleTo, 'tables'))
  if (!withDatasets) query = query.where('namespace_key', '!=', DATASETS_KEY)
  const rows = await query.execute()
  return rows.map((row) => ({
    namespace: decodeExact<readonly string[]>(row.namespace),
    name: row.name,
    tableUuid: row.table_uuid,
    location: row.location,
    createdAtMs: Number(row.created_at_ms),
    lastUpdatedMs: Number(row.last_updated_ms),
    currentSnapshotId: row.current_snapshot_id,
  }))
}
