import type { Stores } from '../../catalog/catalog.ts'
import type { ViewState } from '../../catalog/view-store.ts'
import type { Visibility } from '../../core/access/visibility.ts'
import { CatalogError } from '../../core/errors.ts'
import {
  applyViewUpdates,
  checkViewRequirements,
  newViewMetadata,
} from '../../core/metadata/apply-view-updates.ts'
import type { ViewMetadata } from '../../core/metadata/view-metadata.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { VIEW_METADATA_TEXT_BYTES_MAX } from '../../formats/metadata/metadata-file.ts'
import type { Page } from '../../http/page-token.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { defaultLocation } from '../../lake/table/table-location.ts'
import { getNamespace, getTargetNamespace } from '../namespaces/namespaces.ts'
import type { ViewDependencies } from '../views/change-view.ts'
import {
  addView,
  changeView,
  dropViewOf,
  getView,
  refuseTakenViewName,
  viewNameTaken,
  wantedByName,
} from '../views/change-view.ts'
import { NO_CONTENT, viewAnswer } from './kept-answer.ts'
import { metadataFileMissing } from './load-table.ts'
import { type PageRequest, readPages } from './page.ts'
import { readIdentifier, readName, requestNode } from './requests/table-request-json.ts'
import { parseCommitViewRequest, parseCreateViewRequest } from './requests/view-request-json.ts'
import { requireRestName } from './rest-name.ts'
import type { PathsCall, UseCaseCall } from './use-case-call.ts'

export type RestViewDependencies = ViewDependencies &
  Stores<'namespaces'> &
  Pick<LakeServices, 'readViewMetadata'>

interface InNamespace {
  readonly namespace: readonly string[]
  readonly json: unknown
}

/** Lists the views of one namespace, sorted by name ignoring case. */
export async function listRestViews(
  deps: RestViewDependencies,
  { namespace, page }: { readonly namespace: readonly string[]; readonly page: PageRequest },
  visibleTo: Visibility | undefined,
): Promise<Page<NamespacedName>> {
  await getNamespace(deps, namespace)
  return readPages(page, {
    list: (after, limit) =>
      deps.catalog.views.list({
        namespace,
        limit,
        ...(after === undefined ? {} : { after }),
        visibleTo,
      }),
    position: ({ name }) => name,
  })
}

/** Creates a view (Iceberg REST specification, `CreateViewRequest`). */
export async function createRestView(
  deps: RestViewDependencies,
  { namespace, json }: InNamespace,
  keeper: AnswerKeeper,
): Promise<ViewState> {
  const request = parseCreateViewRequest(json)
  const name = requireRestName({ namespace, name: request.name })
  const { levels } = await getNamespace(deps, namespace)
  await refuseTakenViewName(deps, name)
  const viewUuid = deps.ambient.newUuid()
  const { schema, version, properties } = request
  const metadata = newViewMetadata({
    viewUuid,
    schema,
    version,
    properties,
    location: request.location ?? defaultLocation(deps, name, viewUuid),
    nowMs: deps.ambient.nowMs(),
  })
  const options = () => keeper.withEffect(viewAnswer(viewUuid))
  return addView(deps, { namespace: levels, name: name.name, metadata }, options)
}

export function getRestView(deps: RestViewDependencies, name: NamespacedName): Promise<ViewState> {
  return getView(deps, wantedByName(requireRestName(name)))
}

/** The view of a repeated request; `undefined` if it was dropped since. */
export function findViewByUuid(
  { catalog }: Stores<'views'>,
  viewUuid: string,
): Promise<ViewState | undefined> {
  return catalog.views.find({ viewUuid })
}

/** Replaces a view (Iceberg REST specification, `CommitViewRequest`). */
export async function replaceRestView(
  deps: RestViewDependencies,
  { name, json }: { readonly name: NamespacedName; readonly json: unknown },
  keeper: AnswerKeeper,
): Promise<ViewState> {
  const { requirements, updates } = parseCommitViewRequest(json)
  const { state, isChanged } = await changeView(deps, wantedByName(requireRestName(name)), {
    change: (_state, base) => {
      checkViewRequirements(requirements, base)
      const metadata = applyViewUpdates(base, updates, { nowMs: deps.ambient.nowMs() })
      return metadata === base ? undefined : { metadata }
    },
    options: ({ viewUuid }) => keeper.withEffect(viewAnswer(viewUuid)),
    isConflict: true,
  })
  if (!isChanged) await keeper.withoutEffect(viewAnswer(state.viewUuid))
  return state
}

/** Drops a view. Its metadata files stay. */
export async function dropRestView(
  deps: RestViewDependencies,
  name: NamespacedName,
  keeper: AnswerKeeper,
): Promise<void> {
  const view = await getRestView(deps, name)
  const outcome = await dropViewOf(deps, view, keeper.withEffect(NO_CONTENT))
  // Dropped concurrently: report it as if that had come first.
  if (outcome === 'not-found') await getRestView(deps, name)
}

/**
 * Renames a view, possibly into another namespace, which must exist (Iceberg REST specification,
 * `RenameTableRequest`).
 */
export async function renameView(
  deps: RestViewDependencies,
  json: unknown,
  { keeper, authorize }: UseCaseCall,
): Promise<void> {
  const node = requestNode(json)
  const source = requireRestName(readIdentifier(node.get('source')))
  const destination = requireRestName(readIdentifier(node.get('destination')))
  await authorize('own', [{ on: 'view', name: source }])
  await authorize('create', [{ on: 'namespace', name: destination.namespace }])
  const { viewUuid } = await getRestView(deps, source)
  const { levels } = await getTargetNamespace(deps, destination.namespace, '/iceberg/v1')
  await refuseTakenDestination(deps, viewUuid, { source, destination })
  await changeView(deps, wantedByName(source), {
    change: () => ({ name: { namespace: levels, name: destination.name } }),
    options: () => keeper.withEffect(NO_CONTENT),
  })
}

/** A view's own name in another case is not taken. */
async function refuseTakenDestination(
  { catalog }: Stores<'views' | 'tables'>,
  viewUuid: string,
  { source, destination }: Readonly<Record<'source' | 'destination', NamespacedName>>,
): Promise<void> {
  const [view, table] = await Promise.all([
    catalog.views.find(destination),
    catalog.tables.find(destination),
  ])
  const isSame = shownName(source) === shownName(destination)
  const isTaken = view !== undefined && (view.viewUuid !== viewUuid || isSame)
  if (!isTaken && table === undefined) return
  const what = isTaken ? 'View' : 'Table'
  throw viewNameTaken(
    destination,
    isTaken ? 'view-exists' : 'table-exists',
    `Cannot rename ${shownName(source)} to ${shownName(destination)}. ${what} already exists`,
  )
}

/** Registers a view, which keeps the file (Iceberg REST specification, `RegisterViewRequest`). */
export async function registerView(
  deps: RestViewDependencies,
  { namespace, json }: InNamespace,
  { keeper, requirePaths }: Pick<PathsCall, 'keeper' | 'requirePaths'>,
): Promise<ViewState> {
  const node = requestNode(json)
  const name = requireRestName({ namespace, name: readName(node.get('name')) })
  const metadataLocation = node.get('metadata-location').string()
  const { levels } = await getNamespace(deps, namespace)
  await refuseTakenViewName(deps, name)
  await requirePaths([metadataLocation])
  const metadata = await readMetadataAt(deps, metadataLocation)
  const viewUuid = metadata.viewUuid.toLowerCase()
  const options = () => keeper.withEffect(viewAnswer(viewUuid))
  return addView(deps, { namespace: levels, name: name.name, metadata, metadataLocation }, options)
}

async function readMetadataAt(
  { objects, readViewMetadata }: Pick<LakeServices, 'objects' | 'readViewMetadata'>,
  location: string,
): Promise<ViewMetadata> {
  let bytes: Uint8Array
  try {
    bytes = await objects.read(location, { bytesMax: VIEW_METADATA_TEXT_BYTES_MAX })
  } catch (error) {
    const isMissing = error instanceof CatalogError && error.code === 'file-not-found'
    throw isMissing ? metadataFileMissing(location) : error
  }
  try {
    return await readViewMetadata(bytes)
  } catch (cause) {
    if (!(cause instanceof CatalogError) || cause.code !== 'metadata-corrupt') throw cause
    const detail = `Invalid metadata file: ${location.slice(0, 200)}: ${cause.message}`
    throw new CatalogError('update-invalid', detail, { cause })
  }
}
