import type { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import type { TableState } from '../../core/table/table.ts'
import { LARGE_BODY } from '../../http/body-limits.ts'
import { onTable } from '../../http/permission.ts'
import { JSON_MEDIA_TYPE, jsonReply, type Reply } from '../../http/reply.ts'
import {
  type Call,
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
} from '../../http/route.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { evolveTable } from './evolve-table.ts'
import type { RewriteDependencies } from './rewrite-schema.ts'
import { EvolveSchemaRequest, SchemasAnswer } from './schema-shapes.ts'
import { schemasAsJson, schemasToJson } from './table-response.ts'
import { SCHEMAS_TAG } from './table-tags.ts'

/** Problems of changes that rewrite the data files. */
const CONVERSION_PROBLEMS = [
  'data-file-changed',
  'data-file-missing',
  'engine-failed',
  'file-corrupt',
  'file-unsupported',
  'table-property-invalid',
  'not-implemented',
  'overloaded',
  'storage-full',
] as const

const list = {
  method: 'get',
  tag: SCHEMAS_TAG,
  permission: onTable('select'),
  summary: 'List all schemas of the table, past and present',
  description: 'Each with its id; a snapshot names the schema that it was written with.',
  answers: [{ status: 200, description: 'All schemas.', shape: SchemasAnswer }],
  problems: ['table-not-found', 'name-invalid'],
  curl: 'curl $MORAINE/v1/tables/aviation.flights/schemas',
} as const

const evolve = {
  method: 'post',
  tag: SCHEMAS_TAG,
  permission: onTable('modify'),
  summary: 'Evolve the schema',
  description:
    'These touch no file: add a column (a required one needs a default), drop, rename (the old ' +
    'name becomes an alias), move, widen (`int` to `long`, `float` to `double`, decimals to more ' +
    'digits). `long` to `double`, `date` to `timestamp` and `boolean` to `int` rewrite all data ' +
    'files of the table, up to 50 GB, before the response; older snapshots stay as they are. ' +
    'Either all changes are made or none; repeating the request changes nothing.',
  body: EvolveSchemaRequest,
  bodyMax: LARGE_BODY,
  answers: [
    { status: 200, description: 'All schemas, including the new one.', shape: SchemasAnswer },
  ],
  problems: [
    'table-not-found',
    'name-invalid',
    'schema-invalid',
    'schema-change-invalid',
    'schema-change-rewrites-files',
    'column-type-unknown',
    'definition-too-large',
    'commit-state-unknown',
    ...CONVERSION_PROBLEMS,
  ],
  curl:
    "curl -X POST $MORAINE/v1/tables/aviation.flights/schemas -H 'Content-Type: application/json'" +
    ` -d '{"changes":[{"op":"add","column":{"name":"gate","type":"string"}}]}'`,
} as const

type EvolveCall = Call<unknown, z.output<typeof EvolveSchemaRequest>>

function listSchemas(deps: Stores<'tables'>) {
  return async (call: Call<unknown, unknown>): Promise<Reply> => {
    const { catalog } = asking(deps, call)
    return schemasReply(await getTable(catalog, call.param('table_identifier')))
  }
}

function evolveSchema(deps: RewriteDependencies & LakeServices) {
  return async ({ param, body, keeper, found }: EvolveCall): Promise<Reply> => {
    const keep = keeper.keeping((state: TableState) => ({
      status: 200,
      ...(isShort(state) && { value: schemasToJson(state) }),
      from: { tableUuid: state.definition.tableUuid },
    }))
    const table = param('table_identifier')
    return schemasReply(await evolveTable(asking(deps, { found }), table, { ...body, keep }))
  }
}

/** All schemas as they are now, when they were too long to keep. */
function schemasAgain({ catalog }: Stores<'tables'>) {
  return async ({ tableUuid }: KeptFacts, { authorize }: RepeatedCall): Promise<Reply> => {
    const name = String(tableUuid)
    await authorize('select', [{ on: 'table', name }])
    return schemasReply(await getTable(catalog, name))
  }
}

/** A long one goes out in pieces, which are made while others have their turns. */
function schemasReply(state: TableState): Reply {
  if (isShort(state)) return jsonReply(schemasToJson(state))
  return { status: 200, mediaType: JSON_MEDIA_TYPE, body: schemasAsJson(state) }
}

/** Whether the answer is worth keeping; a longer one is made again when it is asked for. */
function isShort({ definition: { schemas } }: TableState): boolean {
  return schemas.reduce((sum, { fields }) => sum + fields.length, 0) <= KEPT_COLUMNS_MAX
}

/** An answer of as many is about as long as one that is kept may be. */
const KEPT_COLUMNS_MAX = 2_000

const TABLE_PATH = '/v1/tables/{table_identifier}/schemas'
/** An older address of the same resource. */
const VIEW_PATH = '/v1/views/{table_identifier}/schemas'

export function schemaRoutes(deps: RewriteDependencies & LakeServices): readonly Route[] {
  const [listed, evolved] = [listSchemas(deps), evolveSchema(deps)]
  const again = schemasAgain(deps)
  return [
    defineRoute({ ...list, path: TABLE_PATH, operationId: 'listSchemas' }, listed),
    defineRoute({ ...evolve, path: TABLE_PATH, operationId: 'evolveSchema' }, evolved, again),
    defineRoute({ ...list, path: VIEW_PATH, operationId: 'listViewSchemas' }, listed),
    defineRoute({ ...evolve, path: VIEW_PATH, operationId: 'evolveViewSchema' }, evolved, again),
  ]
}
