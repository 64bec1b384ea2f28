import type { Stores } from '../../../catalog/catalog.ts'
import { jsonReply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { dropNamespace, getNamespace } from '../../namespaces/namespaces.ts'
import { NO_CONTENT } from '../kept-answer.ts'
import { createNamespace, listNamespaces, updateNamespace } from '../rest-namespaces.ts'
import { pageRequest } from './rest-query.ts'
import {
  defineRestRoute,
  NAMESPACE,
  NAMESPACES,
  NO_CONTENT_REPLY,
  namespaceOf,
  onNamespace,
  parentOf,
} from './rest-route.ts'
import {
  NamespaceAnswer,
  NamespaceListAnswer,
  NamespaceUpdateAnswer,
} from './shapes/rest-answer-shapes.ts'
import {
  CreateNamespaceRequest,
  NamespacesQuery,
  UpdateNamespaceRequest,
} from './shapes/rest-request-shapes.ts'

export function namespaceRoutes(deps: Stores<'namespaces'>): readonly Route[] {
  return [...wholeRoutes(deps), ...singleRoutes(deps)]
}

function wholeRoutes(deps: Stores<'namespaces'>): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'get',
        path: NAMESPACES,
        operationId: 'icebergListNamespaces',
        permission: { privilege: 'describe', on: 'namespace', target: parentTarget },
        summary: 'List namespaces',
        query: NamespacesQuery,
        answers: [
          { status: 200, description: 'One page, or all namespaces.', shape: NamespaceListAnswer },
        ],
        problems: ['namespace-not-found', 'page-token-invalid'],
      },
      async (call) => {
        const request = { parent: parentOf(call), page: pageRequest(call) }
        const { items, nextPageToken } = await listNamespaces(deps, request, call.visibleTo)
        return jsonReply({ namespaces: items, 'next-page-token': nextPageToken })
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: NAMESPACES,
        operationId: 'icebergCreateNamespace',
        permission: 'in-use-case',
        summary: 'Create a namespace',
        description: 'Missing parents are created, too.',
        body: CreateNamespaceRequest,
        answers: [{ status: 200, description: 'Created.', shape: NamespaceAnswer }],
        problems: [
          'namespace-not-found',
          'namespace-already-exists',
          'name-invalid',
          'update-invalid',
          'definition-too-large',
        ],
      },
      async ({ body, keeper, authorize }) => {
        const call = { keeper, authorize }
        const { levels, properties } = await createNamespace(deps, body, call)
        return jsonReply({ namespace: levels, properties })
      },
    ),
  ]
}

function parentTarget({ query }: { readonly query: unknown }): readonly string[] {
  return parentOf({ query: query as ReadonlyMap<string, string> })
}

function singleRoutes(deps: Stores<'namespaces'>): readonly Route[] {
  const found = { path: NAMESPACE, permission: onNamespace('describe') }
  const problems = ['namespace-not-found', 'name-invalid'] as const
  return [
    defineRestRoute(
      {
        ...{ ...found, method: 'get', problems, operationId: 'icebergGetNamespace' },
        summary: 'Read a namespace',
        answers: [{ status: 200, description: 'The namespace.', shape: NamespaceAnswer }],
      },
      async (call) => {
        const { levels, properties } = await getNamespace(deps, namespaceOf(call))
        return jsonReply({ namespace: levels, properties })
      },
    ),
    defineRestRoute(
      {
        ...{ ...found, method: 'head', problems, operationId: 'icebergHasNamespace' },
        summary: 'Check that a namespace exists',
        answers: [{ status: 204, description: 'It exists.' }],
      },
      async (call) => {
        await getNamespace(deps, namespaceOf(call))
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        ...{ method: 'delete', path: NAMESPACE, operationId: 'icebergDropNamespace' },
        permission: onNamespace('own'),
        summary: 'Drop an empty namespace',
        answers: [{ status: 204, description: 'Dropped.' }],
        problems: [...problems, 'namespace-not-empty'],
      },
      async (call) => {
        await dropNamespace(deps, namespaceOf(call), call.keeper.withEffect(NO_CONTENT))
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: `${NAMESPACE}/properties`,
        operationId: 'icebergUpdateNamespace',
        permission: onNamespace('modify'),
        summary: 'Set and remove properties of a namespace',
        body: UpdateNamespaceRequest,
        answers: [{ status: 200, description: 'Changed.', shape: NamespaceUpdateAnswer }],
        problems: [
          ...problems,
          'namespace-update-invalid',
          'update-invalid',
          'definition-too-large',
        ],
      },
      async (call) => {
        const request = { levels: namespaceOf(call), json: call.body }
        return jsonReply(await updateNamespace(deps, request, call.keeper))
      },
    ),
  ]
}
