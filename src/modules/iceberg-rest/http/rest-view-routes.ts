import { LARGE_BODY } from '../../../http/body-limits.ts'
import { jsonReply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import {
  createRestView,
  dropRestView,
  getRestView,
  listRestViews,
  type RestViewDependencies,
  registerView,
  renameView,
  replaceRestView,
} from '../view-catalog.ts'
import { pageRequest } from './rest-query.ts'
import {
  defineRestRoute,
  NAMESPACE,
  NO_CONTENT_REPLY,
  namespaceOf,
  onNamespace,
  onRestView,
  VIEW,
  viewName,
} from './rest-route.ts'
import { IdentifierListAnswer, LoadViewAnswer } from './shapes/rest-answer-shapes.ts'
import {
  CommitViewRequest,
  CreateViewRequest,
  PageQuery,
  RegisterRequest,
  RenameRequest,
} from './shapes/rest-request-shapes.ts'
import { viewReply } from './view-reply.ts'

const VIEWS = `${NAMESPACE}/views`
const MAKING_PROBLEMS = [
  'namespace-not-found',
  'view-already-exists',
  'name-invalid',
  'update-invalid',
  'definition-too-large',
  'location-not-allowed',
  'location-taken',
  'storage-full',
  'commit-state-unknown',
] as const

export function viewRoutes(deps: RestViewDependencies): readonly Route[] {
  return [...collectionRoutes(deps), ...singleRoutes(deps), ...movingRoutes(deps)]
}

function collectionRoutes(deps: RestViewDependencies): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'get',
        path: VIEWS,
        operationId: 'icebergListViews',
        permission: onNamespace('describe'),
        summary: 'List the views of a namespace',
        query: PageQuery,
        answers: [
          { status: 200, description: 'One page, or all views.', shape: IdentifierListAnswer },
        ],
        problems: ['namespace-not-found', 'page-token-invalid'],
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), page: pageRequest(call) }
        const { items, nextPageToken } = await listRestViews(deps, request, call.visibleTo)
        return jsonReply({ identifiers: items, 'next-page-token': nextPageToken })
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: VIEWS,
        operationId: 'icebergCreateView',
        permission: onNamespace('create'),
        summary: 'Create a view',
        body: CreateViewRequest,
        bodyMax: LARGE_BODY,
        answers: [{ status: 200, description: 'Created.', shape: LoadViewAnswer }],
        problems: MAKING_PROBLEMS,
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), json: call.body }
        return viewReply(await createRestView(deps, request, call.keeper))
      },
    ),
  ]
}

function singleRoutes(deps: RestViewDependencies): readonly Route[] {
  const problems = ['view-not-found'] as const
  return [
    defineRestRoute(
      {
        ...{ method: 'get', path: VIEW, problems, operationId: 'icebergLoadView' },
        permission: onRestView('select'),
        summary: 'Load a view',
        answers: [{ status: 200, description: 'The view.', shape: LoadViewAnswer }],
      },
      async (call) => viewReply(await getRestView(asking(deps, call), viewName(call))),
    ),
    defineRestRoute(
      {
        ...{ method: 'head', path: VIEW, problems, operationId: 'icebergHasView' },
        permission: onRestView('describe'),
        summary: 'Check that a view exists',
        answers: [{ status: 204, description: 'It exists.' }],
      },
      async (call) => {
        await getRestView(asking(deps, call), viewName(call))
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        ...{ method: 'post', path: VIEW, operationId: 'icebergReplaceView' },
        permission: onRestView('modify'),
        summary: 'Replace a view',
        body: CommitViewRequest,
        bodyMax: LARGE_BODY,
        answers: [{ status: 200, description: 'Replaced.', shape: LoadViewAnswer }],
        problems: [...problems, ...MAKING_PROBLEMS, 'commit-conflict'],
      },
      async (call) => {
        const request = { name: viewName(call), json: call.body }
        return viewReply(await replaceRestView(asking(deps, call), request, call.keeper))
      },
    ),
    defineRestRoute(
      {
        ...{ method: 'delete', path: VIEW, problems, operationId: 'icebergDropView' },
        permission: onRestView('own'),
        summary: 'Drop a view',
        answers: [{ status: 204, description: 'Dropped.' }],
      },
      async (call) => {
        await dropRestView(asking(deps, call), viewName(call), call.keeper)
        return NO_CONTENT_REPLY
      },
    ),
  ]
}

function movingRoutes(deps: RestViewDependencies): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'post',
        path: '/v1/{prefix}/views/rename',
        operationId: 'icebergRenameView',
        permission: 'in-use-case',
        summary: 'Rename a view',
        body: RenameRequest,
        answers: [{ status: 204, description: 'Renamed.' }],
        problems: [...MAKING_PROBLEMS, 'view-not-found'],
      },
      async (call) => {
        await renameView(asking(deps, call), call.body, call)
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: `${NAMESPACE}/register-view`,
        operationId: 'icebergRegisterView',
        permission: onNamespace('create'),
        summary: 'Register a view from its metadata file',
        body: RegisterRequest,
        answers: [{ status: 200, description: 'Registered.', shape: LoadViewAnswer }],
        problems: [...MAKING_PROBLEMS, 'file-not-found'],
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), json: call.body }
        return viewReply(await registerView(deps, request, call))
      },
    ),
  ]
}
