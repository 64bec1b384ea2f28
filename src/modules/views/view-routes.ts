import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import {
  DEFAULT_NAMESPACE,
  newNameOf,
  parseNamespace,
  parseNewTableName,
} from '../../core/table/table-name.ts'
import { LARGE_BODY } from '../../http/body-limits.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onView } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import {
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
  type Tag,
} from '../../http/route.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTargetNamespace, requireListable } from '../namespaces/namespaces.ts'
import { RenameRequest } from '../tables/table-shapes.ts'
import type { NewViewDependencies, ViewDependencies } from './change-view.ts'
import { viewNameToJson, viewToJson } from './view-response.ts'
import {
  CreateViewRequest,
  DropViewAnswer,
  ListViewsQuery,
  ReplaceViewRequest,
  ViewAnswer,
  ViewListAnswer,
} from './view-shapes.ts'
import {
  createView,
  dropView,
  listViews,
  readView,
  renameView,
  replaceView,
  type ViewReading,
} from './views.ts'

const VIEWS_TAG: Tag = {
  name: 'views',
  description: 'Named queries, in the SQL dialects of several engines.',
}
const VIEWS = '/v1/views'
const VIEW = `${VIEWS}/{view_identifier}`
const CHANGING = [
  'name-invalid',
  'schema-invalid',
  'column-type-unknown',
  'update-invalid',
  'definition-too-large',
] as const
const STORING = ['storage-full', 'commit-state-unknown'] as const
const ViewPosition = z.tuple([z.string().min(1)])

const create = (deps: NewViewDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: VIEWS,
      operationId: 'createView',
      tag: VIEWS_TAG,
      permission: 'in-use-case',
      summary: 'Create a view',
      description: 'Views and tables share their names: a name is either a view or a table.',
      body: CreateViewRequest,
      bodyMax: LARGE_BODY,
      answers: [
        {
          status: 201,
          description: 'Created.',
          shape: ViewAnswer,
          headers: { Location: 'Address of the view.' },
        },
      ],
      problems: ['view-already-exists', ...CHANGING, ...STORING],
      curl:
        `curl -X POST $MORAINE/v1/views -H 'Content-Type: application/json' -d '` +
        '{"name":"late_flights","namespace":"aviation","queries":[{"dialect":"duckdb",' +
        `"sql":"SELECT * FROM flights WHERE delay > 15"}]}'`,
    },
    async ({ authorize, body, keeper }) => {
      const { name, namespace } = body
      await authorize('create', [{ on: 'namespace', name: parseNewTableName(body).namespace }])
      const request = { name, namespace, ...textsOf(body) }
      const keep = keeper.keeping(newViewAnswer)
      const { value, ...rest } = newViewAnswer(await createView(deps, request, keep))
      return jsonReply(value, rest)
    },
    viewAgain(deps),
  )

const list = (deps: Stores<'views' | 'namespaces'>) =>
  defineRoute(
    {
      method: 'get',
      path: VIEWS,
      operationId: 'listViews',
      tag: VIEWS_TAG,
      permission: {
        privilege: 'describe',
        on: 'namespace',
        target: ({ query }) => namespaceOf(query.namespace),
      },
      summary: 'List views',
      description: 'The views of one namespace, sorted by name.',
      query: ListViewsQuery,
      answers: [{ status: 200, description: 'One page of views.', shape: ViewListAnswer }],
      problems: ['name-invalid', 'namespace-not-found', 'page-token-invalid'],
      curl: 'curl "$MORAINE/v1/views?namespace=aviation"',
    },
    async ({ query, visibleTo }) => {
      const { namespace, page_token, page_size } = query
      await requireListable(deps, namespaceOf(namespace))
      const views = await listViews(deps, {
        namespace: namespaceOf(namespace),
        ...(page_token === undefined ? {} : { after: parsePageToken(page_token, ViewPosition)[0] }),
        limit: page_size + 1,
        visibleTo,
      })
      const { items, nextPageToken } = cutPage(views, page_size, ({ name }) => [name])
      return jsonReply({ views: items.map(viewNameToJson), next_page_token: nextPageToken })
    },
  )

const read = (deps: Stores<'views'>) =>
  defineRoute(
    {
      method: 'get',
      path: VIEW,
      operationId: 'getView',
      tag: VIEWS_TAG,
      permission: onView('select'),
      summary: 'Read a view',
      description: 'Its text in every dialect, its columns, and its past versions.',
      answers: [{ status: 200, description: 'The view.', shape: ViewAnswer }],
      problems: ['view-not-found', 'name-invalid'],
      curl: 'curl $MORAINE/v1/views/aviation.late_flights',
    },
    async (call) => {
      const view = await readView(asking(deps, call), call.param('view_identifier'))
      return jsonReply(viewToJson(view))
    },
  )

const replace = (deps: ViewDependencies) =>
  defineRoute(
    {
      method: 'put',
      path: VIEW,
      operationId: 'replaceView',
      tag: VIEWS_TAG,
      permission: onView('modify'),
      summary: 'Replace a view’s queries',
      description: 'Adds a new version; does nothing if nothing differs.',
      body: ReplaceViewRequest,
      bodyMax: LARGE_BODY,
      answers: [{ status: 200, description: 'The view as it is now.', shape: ViewAnswer }],
      problems: ['view-not-found', ...CHANGING, ...STORING],
      curl:
        `curl -X PUT $MORAINE/v1/views/aviation.late_flights -H 'Content-Type: application/json' ` +
        `-d '{"queries":[{"dialect":"duckdb","sql":"SELECT * FROM flights WHERE delay > 30"}]}'`,
    },
    async ({ param, body, keeper, found }) => {
      const view = param('view_identifier')
      const keep = keeper.keeping(viewAnswer)
      const asked = asking(deps, { found })
      return jsonReply(viewToJson(await replaceView(asked, view, textsOf(body), keep)))
    },
    viewAgain(deps),
  )

const rename = (deps: ViewDependencies & Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'post',
      path: `${VIEW}/rename`,
      operationId: 'renameView',
      tag: VIEWS_TAG,
      permission: 'in-use-case',
      summary: 'Rename a view',
      description: 'Possibly into another namespace, which must exist. Its id and versions stay.',
      body: RenameRequest,
      answers: [{ status: 200, description: 'The view as it is now.', shape: ViewAnswer }],
      problems: [
        'view-not-found',
        'namespace-not-found',
        'name-invalid',
        'view-already-exists',
        'commit-state-unknown',
      ],
      curl:
        'curl -X POST $MORAINE/v1/views/aviation.late_flights/rename ' +
        `-H 'Content-Type: application/json' -d '{"name":"delayed_flights"}'`,
    },
    async ({ authorize, param, body, keeper, found }) => {
      const identifier = param('view_identifier')
      await authorize('own', [{ on: 'view', name: identifier }])
      const view = await readView(asking(deps, { found }), identifier)
      const target = newNameOf(view.namespace, body)
      await authorize('create', [{ on: 'namespace', name: target.namespace }])
      await getTargetNamespace(deps, target.namespace, '/v1')
      const keep = keeper.keeping(viewAnswer)
      return jsonReply(viewToJson(await renameView(deps, view, { target, keep })))
    },
    viewAgain(deps),
  )

const drop = (deps: ViewDependencies) =>
  defineRoute(
    {
      method: 'delete',
      path: VIEW,
      operationId: 'dropView',
      tag: VIEWS_TAG,
      permission: onView('own'),
      summary: 'Drop a view',
      answers: [{ status: 200, description: 'Dropped.', shape: DropViewAnswer }],
      problems: ['view-not-found', 'name-invalid'],
      curl: 'curl -X DELETE $MORAINE/v1/views/aviation.late_flights',
    },
    async ({ param, keeper, found }) => {
      const keep = keeper.keeping((view: ViewReading) => ({
        status: 200,
        value: droppedToJson(view),
      }))
      const asked = asking(deps, { found })
      return jsonReply(droppedToJson(await dropView(asked, param('view_identifier'), keep)))
    },
  )

function droppedToJson(view: ViewReading) {
  const { view_id, identifier } = viewToJson(view)
  return { view_id, identifier }
}

function newViewAnswer(view: ViewReading) {
  const answer = viewAnswer(view)
  const headers = { Location: `/v1/views/${answer.value.identifier}` }
  return { ...answer, status: 201, headers }
}

function viewAnswer(view: ViewReading) {
  return { status: 200, value: viewToJson(view), from: { viewUuid: view.metadata.viewUuid } }
}

/** Rebuilds a response too long to store: the view as it is now. */
function viewAgain(deps: Stores<'views'>) {
  return async (from: KeptFacts, { first, authorize }: RepeatedCall): Promise<Reply> => {
    const name = String(from['viewUuid'])
    await authorize('select', [{ on: 'view', name }])
    const view = await readView(deps, name)
    return { ...first, ...jsonReply(viewToJson(view), first) }
  }
}

function namespaceOf(text: string | undefined): readonly string[] {
  return text === undefined ? DEFAULT_NAMESPACE : parseNamespace(text)
}

function textsOf(body: z.output<typeof ReplaceViewRequest>) {
  const { queries, schema, description, default_namespace } = body
  return {
    queries,
    description,
    columns: schema?.columns,
    defaultNamespace:
      default_namespace === undefined ? undefined : parseNamespace(default_namespace),
  }
}

export function viewRoutes(deps: ViewDependencies & Stores<'namespaces'>): readonly Route[] {
  return [create(deps), list(deps), read(deps), replace(deps), rename(deps), drop(deps)]
}
