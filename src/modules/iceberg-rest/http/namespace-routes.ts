import {
  createNamespace,
  dropNamespace,
  getNamespace,
  listNamespaces,
  updateNamespace,
} from '../namespaces.ts'
import { pageRequest } from './rest-query.ts'
import { json, noContent } from './rest-reply.ts'
import type { IcebergCall, IcebergRoute } from './rest-route.ts'

const NAMESPACES = '/v1/{prefix}/namespaces'
const NAMESPACE = `${NAMESPACES}/{namespace}`
const LEVEL_SEPARATOR = '\u001f'

export const NAMESPACE_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'GET',
    path: NAMESPACES,
    handle: async (call) => {
      const request = { parent: parentOf(call), page: pageRequest(call) }
      const { items, nextPageToken } = await listNamespaces(call.deps, request)
      return json({ namespaces: items, 'next-page-token': nextPageToken })
    },
  },
  {
    method: 'POST',
    path: NAMESPACES,
    isMutation: true,
    handle: async ({ deps, body, keeper }) => {
      const { levels, properties } = await createNamespace(deps, body, keeper)
      return json({ namespace: levels, properties })
    },
  },
  {
    method: 'GET',
    path: NAMESPACE,
    handle: async ({ deps, namespace }) => {
      const { levels, properties } = await getNamespace(deps, namespace())
      return json({ namespace: levels, properties })
    },
  },
  {
    method: 'HEAD',
    path: NAMESPACE,
    handle: async ({ deps, namespace }) => {
      await getNamespace(deps, namespace())
      return noContent()
    },
  },
  {
    method: 'DELETE',
    path: NAMESPACE,
    isMutation: true,
    handle: async ({ deps, namespace, keeper }) => {
      await dropNamespace(deps, namespace(), keeper)
      return noContent()
    },
  },
  {
    method: 'POST',
    path: `${NAMESPACE}/properties`,
    isMutation: true,
    handle: async ({ deps, namespace, body, keeper }) => {
      return json(await updateNamespace(deps, { levels: namespace(), json: body }, keeper))
    },
  },
]

/** An empty one is none, as older clients send it. */
function parentOf({ query }: IcebergCall): readonly string[] {
  const parent = query.get('parent') ?? ''
  return parent === '' ? [] : parent.split(LEVEL_SEPARATOR)
}
