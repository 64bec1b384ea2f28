import type { z } from 'zod'
import type { Privilege } from '../../../core/access/privilege.ts'
import type { NamespacedName } from '../../../core/table/table-name.ts'
import type { RowsShown } from '../../../http/permission.ts'
import type { Reply } from '../../../http/reply.ts'
import type { Call, Route, RouteSpec, Tag } from '../../../http/route.ts'

/**
 * Path of everything in a namespace, as the specification spells it; this service uses no prefix.
 */
export const NAMESPACES = '/v1/{prefix}/namespaces'
export const NAMESPACE = `${NAMESPACES}/{namespace}`
export const TABLE = `${NAMESPACE}/tables/{table}`
export const VIEW = `${NAMESPACE}/views/{view}`

const LEVEL_SEPARATOR = '\u001f'

const ICEBERG_TAG: Tag = {
  name: 'iceberg',
  description:
    'The Iceberg REST catalog API, for engines. Errors follow its error model; unknown members ' +
    'are ignored.',
}

const PARAMETERS = {
  namespace: 'Levels of the namespace, joined by %1F.',
  table: 'The name of a table.',
  view: 'The name of a view.',
  'plan-id': 'The id returned with the plan.',
}

/**
 * One request. The last of a repeated query parameter counts, unknown ones are ignored; the body is
 * JSON with exact 64-bit integers, `undefined` if it is empty or the method takes none.
 */
export type IcebergCall = Call<ReadonlyMap<string, string>, unknown>

type RestSpec = Omit<RouteSpec<z.ZodObject, z.ZodType>, 'tag' | 'parameters'>

/**
 * A route whose spec documents query and body; handlers read them with the parsers of `requests/`.
 */
export function defineRestRoute(
  spec: RestSpec,
  handle: (call: IcebergCall) => Promise<Reply> | Reply,
): Route {
  return { ...spec, tag: ICEBERG_TAG, parameters: PARAMETERS, handle }
}

export function namespaceOf({ param }: Pick<IcebergCall, 'param'>): readonly string[] {
  return param('namespace').split(LEVEL_SEPARATOR)
}

export function tableName(call: Pick<IcebergCall, 'param'>): NamespacedName {
  return { namespace: namespaceOf(call), name: call.param('table') }
}

export function viewName(call: Pick<IcebergCall, 'param'>): NamespacedName {
  return { namespace: namespaceOf(call), name: call.param('view') }
}

/** The parent namespace, if any; older clients send an empty one. */
export function parentOf({ query }: Pick<IcebergCall, 'query'>): readonly string[] {
  const parent = query.get('parent') ?? ''
  return parent === '' ? [] : parent.split(LEVEL_SEPARATOR)
}

/** A privilege on the namespace of the path. */
export function onNamespace(privilege: Privilege) {
  return { privilege, on: 'namespace' as const, target: namespaceOf }
}

/** A privilege on the table of the path. */
export function onRestTable(privilege: Privilege, rows?: RowsShown) {
  return { privilege, ...(rows && { rows }), on: 'table' as const, target: tableName }
}

/** A privilege on the view of the path. */
export function onRestView(privilege: Privilege) {
  return { privilege, on: 'view' as const, target: viewName }
}

export const NO_CONTENT_REPLY: Reply = { status: 204 }
