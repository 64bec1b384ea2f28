import type { Stores } from '../../catalog/catalog.ts'
import type { ListViewsQuery, ViewState, ViewSummary } from '../../catalog/view-store.ts'
import { applyViewUpdates, newViewMetadata } from '../../core/metadata/apply-view-updates.ts'
import { LAST_ADDED } from '../../core/metadata/table-update.ts'
import type { ViewMetadata, ViewUpdate, ViewVersion } from '../../core/metadata/view-metadata.ts'
import type { Keep } from '../../core/replay.ts'
import { type ColumnDefinition, parseColumns } from '../../core/schema/column-definition.ts'
import {
  formatTableName,
  type NamespacedName,
  parseNewTableName,
  parseTableIdentifier,
} from '../../core/table/table-name.ts'
import type { Schema } from '../../core/value/type.ts'
import { parseViewMetadata } from '../../formats/metadata/view-metadata-json.ts'
import { defaultLocation } from '../../lake/table/table-location.ts'
import {
  addView,
  changeView,
  dropViewOf,
  getView,
  type NewViewDependencies,
  refuseTakenViewName,
  type ViewDependencies,
  viewNameTaken,
  viewNotFound,
  type WantedView,
} from './change-view.ts'

/** Property with the description of a view (Iceberg view specification, "View Metadata"). */
const DESCRIPTION = 'comment'
/** A request with all texts means to drop the dialects that it leaves out. */
const DROP_DIALECT_ALLOWED = 'replace.drop-dialect.allowed'

/** A view as `/v1` shows it. */
export interface ViewReading extends NamespacedName {
  readonly metadata: ViewMetadata
  readonly metadataLocation: string
  readonly createdAtMs: number
  readonly lastUpdatedMs: number
}

export interface ViewText {
  readonly sql: string
  readonly dialect: string
}

export interface ReplaceViewRequest {
  /** At least one, and at most one for each dialect. */
  readonly queries: readonly ViewText[]
  /** Columns of the query's result. If absent, they stay unchanged; a new view then has none. */
  readonly columns?: readonly ColumnDefinition[] | undefined
  /** Null removes the description. */
  readonly description?: string | null | undefined
  /** Namespace of tables that the query names without one; by default that of the view. */
  readonly defaultNamespace?: readonly string[] | undefined
}

export interface CreateViewRequest extends ReplaceViewRequest {
  readonly name: string
  /** Dotted; `default` if absent. */
  readonly namespace?: string | undefined
}

/** Creates a view whose name follows the rules of `/v1`. Throws `view-already-exists`. */
export async function createView(
  deps: NewViewDependencies,
  request: CreateViewRequest,
  keep: Keep<ViewReading> = () => ({}),
): Promise<ViewReading> {
  const name = parseNewTableName(request)
  await refuseTakenViewName(deps, name)
  const viewUuid = deps.ambient.newUuid()
  const nowMs = deps.ambient.nowMs()
  const { description } = request
  const metadata = newViewMetadata({
    viewUuid,
    nowMs,
    location: defaultLocation(deps, name, viewUuid),
    schema: schemaOf(request.columns ?? []),
    version: versionOf(request, { namespace: name.namespace, nowMs }),
    properties: description === undefined || description === null ? {} : { comment: description },
  })
  const options = (state: ViewState) => keep({ ...state, metadata })
  return { ...(await addView(deps, { ...name, metadata }, options)), metadata }
}

/** The view with its parsed metadata; throws `view-not-found`. */
export async function readView(deps: Stores<'views'>, identifier: string): Promise<ViewReading> {
  const state = await getView(deps, wantedView(identifier))
  return { ...state, metadata: parseViewMetadata(state.metadata) }
}

export function listViews(
  { catalog }: Stores<'views'>,
  query: ListViewsQuery,
): Promise<readonly ViewSummary[]> {
  return catalog.views.list(query)
}

/** Replaces the texts of the view, as a new version; does nothing if nothing differs. */
export async function replaceView(
  deps: ViewDependencies,
  identifier: string,
  request: ReplaceViewRequest,
  keep: Keep<ViewReading> = () => ({}),
): Promise<ViewReading> {
  const { state, metadata } = await changeView(deps, wantedView(identifier), {
    change: ({ namespace }, base) => {
      const next = replaced(base, request, { namespace, nowMs: deps.ambient.nowMs() })
      return next === base ? undefined : { metadata: next }
    },
    options: (next, changed) => keep({ ...next, metadata: changed }),
  })
  return { ...state, metadata }
}

/** Gives the view another name, which must be free, possibly in another namespace. */
export async function renameView(
  deps: ViewDependencies & Stores<'namespaces'>,
  view: ViewReading,
  { target, keep = () => ({}) }: { target: NamespacedName; keep?: Keep<ViewReading> },
): Promise<ViewReading> {
  if (formatTableName(view.namespace, view.name) === formatTableName(target.namespace, target.name))
    throw viewNameTaken(target, 'view-exists')
  const { viewUuid } = view.metadata
  const { state, metadata } = await changeView(deps, wantedView(viewUuid), {
    change: () => ({ name: target }),
    options: (next, changed) => keep({ ...next, metadata: changed }),
  })
  return { ...state, metadata }
}

/** Drops the view, and returns it. Its metadata files stay. */
export async function dropView(
  deps: Stores<'views'> & Pick<ViewDependencies, 'objects' | 'log'>,
  identifier: string,
  keep?: Keep<ViewReading>,
): Promise<ViewReading> {
  const state = await getView(deps, wantedView(identifier))
  const view = { ...state, metadata: parseViewMetadata(state.metadata) }
  if ((await dropViewOf(deps, state, keep?.(view))) === 'dropped') return view
  throw viewNotFound(wantedView(identifier))
}

/** As an address names it. Throws `name-invalid`. */
export function wantedView(identifier: string): WantedView {
  const key = parseTableIdentifier(identifier)
  if ('tableUuid' in key) return { key: { viewUuid: key.tableUuid }, shown: key.tableUuid }
  return { key, shown: formatTableName(key.namespace, key.name) }
}

interface Setting {
  readonly namespace: readonly string[]
  readonly nowMs: number
}

function replaced(base: ViewMetadata, request: ReplaceViewRequest, setting: Setting): ViewMetadata {
  const current = base.versions.find(({ versionId }) => versionId === base.currentVersionId)
  const { columns, description } = request
  const addSchema: readonly ViewUpdate[] =
    columns === undefined ? [] : [{ action: 'add-schema', schema: schemaOf(columns) }]
  const schemaId = columns === undefined ? (current?.schemaId ?? 0) : LAST_ADDED
  const version = { ...versionOf(request, setting), schemaId }
  const described = applyViewUpdates(base, describing(description), setting)
  const allowing: ViewMetadata = {
    ...described,
    properties: { ...described.properties, [DROP_DIALECT_ALLOWED]: 'true' },
  }
  const texts = applyViewUpdates(
    allowing,
    [
      ...addSchema,
      { action: 'add-view-version', version },
      { action: 'set-current-view-version', versionId: LAST_ADDED },
    ],
    setting,
  )
  return texts === allowing ? described : { ...texts, properties: described.properties }
}

function describing(description: string | null | undefined): readonly ViewUpdate[] {
  if (description === undefined) return []
  return description === null
    ? [{ action: 'remove-properties', removals: [DESCRIPTION] }]
    : [{ action: 'set-properties', updates: { [DESCRIPTION]: description } }]
}

function versionOf(
  { queries, defaultNamespace }: ReplaceViewRequest,
  { namespace, nowMs }: Setting,
): ViewVersion {
  return {
    versionId: 1,
    timestampMs: nowMs,
    schemaId: 0,
    summary: { 'engine-name': 'moraine' },
    representations: queries.map(({ sql, dialect }) => ({ type: 'sql', sql, dialect })),
    defaultNamespace: defaultNamespace ?? namespace,
  }
}

/** A schema of these columns; a view whose columns were never given has none. */
function schemaOf(columns: readonly ColumnDefinition[]): Schema {
  const fields = columns.length === 0 ? [] : parseColumns(columns).fields
  return { schemaId: 0, fields, identifierFieldIds: [] }
}
