import type { NamespacedName } from '../../../core/table/table-name.ts'
import {
  createRestView,
  dropRestView,
  getRestView,
  listRestViews,
  registerView,
  renameView,
  replaceRestView,
} from '../view-catalog.ts'
import { pageRequest } from './rest-query.ts'
import { json, noContent } from './rest-reply.ts'
import type { IcebergCall, IcebergRoute } from './rest-route.ts'
import { viewReply } from './view-reply.ts'

const NAMESPACE = '/v1/{prefix}/namespaces/{namespace}'
const VIEWS = `${NAMESPACE}/views`
const VIEW = `${VIEWS}/{view}`

export const VIEW_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'GET',
    path: VIEWS,
    handle: async (call) => {
      const request = { namespace: call.namespace(), page: pageRequest(call) }
      const { items, nextPageToken } = await listRestViews(call.deps, request)
      return json({ identifiers: items, 'next-page-token': nextPageToken })
    },
  },
  {
    method: 'POST',
    path: VIEWS,
    isMutation: true,
    handle: async ({ deps, namespace, body, keeper }) =>
      viewReply(await createRestView(deps, { namespace: namespace(), json: body }, keeper)),
  },
  {
    method: 'GET',
    path: VIEW,
    handle: async (call) => viewReply(await getRestView(call.deps, viewName(call))),
  },
  {
    method: 'HEAD',
    path: VIEW,
    handle: async (call) => {
      await getRestView(call.deps, viewName(call))
      return noContent()
    },
  },
  {
    method: 'POST',
    path: VIEW,
    isMutation: true,
    handle: async (call) => {
      const request = { name: viewName(call), json: call.body }
      return viewReply(await replaceRestView(call.deps, request, call.keeper))
    },
  },
  {
    method: 'DELETE',
    path: VIEW,
    isMutation: true,
    handle: async (call) => {
      await dropRestView(call.deps, viewName(call), call.keeper)
      return noContent()
    },
  },
  {
    method: 'POST',
    path: '/v1/{prefix}/views/rename',
    isMutation: true,
    handle: async ({ deps, body, keeper }) => {
      await renameView(deps, body, keeper)
      return noContent()
    },
  },
  {
    method: 'POST',
    path: `${NAMESPACE}/register-view`,
    isMutation: true,
    handle: async ({ deps, namespace, body, keeper }) =>
      viewReply(await registerView(deps, { namespace: namespace(), json: body }, keeper)),
  },
]

function viewName({ namespace, param }: IcebergCall): NamespacedName {
  return { namespace: namespace(), name: param('view') }
}
