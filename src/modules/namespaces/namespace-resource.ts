import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import type { NamespaceProperties, NamespaceRecord } from '../../catalog/namespace-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import { parseNewNamespace } from '../../core/table/table-name.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import {
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
  type Tag,
} from '../../http/route.ts'
import {
  ChangeNamespaceBody,
  CreateNamespaceBody,
  DroppedNamespace,
  NamespaceDescription,
  NamespacesAnswer,
  NamespacesQuery,
} from './namespace-shapes.ts'
import { changeProperties, createNamespace, dropNamespace, getNamespace } from './namespaces.ts'

const TAG: Tag = {
  name: 'namespaces',
  description: 'Groups of tables and views, with properties. A new table makes its own.',
}
const NAMESPACES = '/v1/namespaces'
const NAMESPACE = `${NAMESPACES}/{namespace}`
const Position = z.tuple([z.string().min(1)])
const FOUND = ['namespace-not-found', 'name-invalid'] as const

const create = (deps: Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'post',
      path: NAMESPACES,
      operationId: 'createNamespace',
      tag: TAG,
      permission: 'in-use-case',
      summary: 'Create a namespace',
      description: 'Missing parents are created, too. Names that differ in case only are the same.',
      body: CreateNamespaceBody,
      answers: [
        {
          status: 201,
          description: 'Created.',
          shape: NamespaceDescription,
          headers: { Location: 'Address of the namespace.' },
        },
      ],
      problems: [
        'namespace-already-exists',
        'name-invalid',
        'update-invalid',
        'definition-too-large',
      ],
      curl:
        `curl -X POST $MORAINE/v1/namespaces -H 'Content-Type: application/json' ` +
        `-d '{"name":"aviation.us","properties":{"owner":"flight-data"}}'`,
    },
    async ({ authorize, body, keeper }) => {
      const levels = parseNewNamespace(body.name)
      await authorize('create', [{ on: 'namespace', name: levels.slice(0, -1) }])
      const namespace = { levels, properties: body.properties ?? {} }
      const headers = { Location: `${NAMESPACES}/${body.name}` }
      const answer = { status: 201, headers }
      const value = described(namespace)
      const kept = keeper.withEffect({ ...answer, value, from: { namespace: levels } })
      await createNamespace(deps, namespace, kept)
      return jsonReply(value, answer)
    },
    again(deps),
  )

const list = (deps: Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'get',
      path: NAMESPACES,
      operationId: 'listNamespaces',
      tag: TAG,
      permission: {
        privilege: 'describe',
        on: 'namespace',
        target: ({ query }) => parentOf(query.parent),
      },
      summary: 'List namespaces',
      description: 'Those of one parent, sorted by name.',
      query: NamespacesQuery,
      answers: [{ status: 200, description: 'One page of namespaces.', shape: NamespacesAnswer }],
      problems: [...FOUND, 'page-token-invalid'],
      curl: 'curl "$MORAINE/v1/namespaces?parent=aviation"',
    },
    async ({ query, visibleTo }) => {
      const { page_token, page_size } = query
      const parent = parentOf(query.parent)
      if (parent.length > 0) await getNamespace(deps, parent)
      const [last] = page_token === undefined ? [] : parsePageToken(page_token, Position)
      const found = await deps.catalog.namespaces.listChildren({
        parent,
        ...(last === undefined ? {} : { after: [...parent, last] }),
        limit: page_size + 1,
        visibleTo,
      })
      const { items, nextPageToken } = cutPage(found, page_size, (levels) => [levels.at(-1)])
      return jsonReply({ namespaces: items.map(named), next_page_token: nextPageToken })
    },
  )

const read = (deps: Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'get',
      path: NAMESPACE,
      operationId: 'getNamespace',
      tag: TAG,
      permission: onNamespace('describe'),
      summary: 'Describe a namespace',
      answers: [{ status: 200, description: 'The namespace.', shape: NamespaceDescription }],
      problems: FOUND,
      curl: 'curl $MORAINE/v1/namespaces/aviation.us',
    },
    async ({ param }) =>
      jsonReply(described(await getNamespace(deps, levelsOf(param('namespace'))))),
  )

const change = (deps: Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'patch',
      path: NAMESPACE,
      operationId: 'changeNamespace',
      tag: TAG,
      permission: onNamespace('modify'),
      summary: 'Set and remove properties of a namespace',
      body: ChangeNamespaceBody,
      answers: [{ status: 200, description: 'As it is now.', shape: NamespaceDescription }],
      problems: [...FOUND, 'update-invalid', 'definition-too-large'],
      curl:
        `curl -X PATCH $MORAINE/v1/namespaces/aviation.us -H 'Content-Type: application/json' ` +
        `-d '{"properties":{"owner":"flight-data","old":null}}'`,
    },
    async ({ param, body, keeper }) => {
      const levels = levelsOf(param('namespace'))
      const given = Object.entries(body.properties)
      const updates = Object.fromEntries(given.flatMap(([k, v]) => (v === null ? [] : [[k, v]])))
      const removals = given.flatMap(([key, value]) => (value === null ? [key] : []))
      const after = (before: NamespaceProperties): NamespaceProperties =>
        Object.fromEntries(
          Object.entries({ ...before, ...updates }).filter(
            ([key]) => body.properties[key] !== null,
          ),
        )
      const changed = await changeProperties(deps, { levels, updates, removals }, (now) => {
        const value = described({ levels, properties: after(now.properties) })
        const from = { namespace: levels }
        return keeper.withEffect({ status: 200, value, from, isProvisional: true })
      })
      return jsonReply(described({ levels, properties: changed.after }))
    },
    again(deps),
  )

const drop = (deps: Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'delete',
      path: NAMESPACE,
      operationId: 'dropNamespace',
      tag: TAG,
      permission: onNamespace('own'),
      summary: 'Drop an empty namespace',
      description: 'One that holds no table, no view and no other namespace.',
      answers: [{ status: 200, description: 'Dropped.', shape: DroppedNamespace }],
      problems: [...FOUND, 'namespace-not-empty'],
      curl: 'curl -X DELETE $MORAINE/v1/namespaces/aviation.us',
    },
    async ({ param, keeper }) => {
      const levels = levelsOf(param('namespace'))
      const value = named(levels)
      await dropNamespace(deps, levels, keeper.withEffect({ status: 200, value }))
      return jsonReply(value)
    },
  )

/** A privilege on the namespace of the path. */
function onNamespace(privilege: Privilege) {
  return {
    privilege,
    on: 'namespace' as const,
    target: ({ param }: { param(name: 'namespace'): string }) => levelsOf(param('namespace')),
  }
}

/** Levels that were created over Iceberg REST may hold any characters but dots. */
function levelsOf(text: string): readonly string[] {
  return text.split('.')
}

function parentOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : levelsOf(text)
}

function named(levels: readonly string[]) {
  return { name: levels.join('.'), levels }
}

function described({ levels, properties }: NamespaceRecord) {
  return { ...named(levels), properties }
}

/** Rebuilds a response that was too long to store: the namespace as it is now. */
function again(deps: Stores<'namespaces'>) {
  return async (from: KeptFacts, { first, authorize }: RepeatedCall): Promise<Reply> => {
    const name = from['namespace'] as readonly string[]
    await authorize('describe', [{ on: 'namespace', name }])
    const namespace = await getNamespace(deps, name)
    return { ...first, ...jsonReply(described(namespace), first) }
  }
}

export function namespaceRoutes(deps: Stores<'namespaces'>): readonly Route[] {
  return [create(deps), list(deps), read(deps), change(deps), drop(deps)]
}
