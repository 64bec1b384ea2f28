import { CATALOG_SECURABLE } from '../../catalog/grant-store.ts'
import { isGrantable, type Privilege, type SecurableKind } from '../../core/access/privilege.ts'
import { CatalogError } from '../../core/errors.ts'
import { nameOfPrincipal, type Target } from '../../http/authorizer.ts'
import { jsonReply } from '../../http/reply.ts'
import { type Call, defineRoute, type Route } from '../../http/route.ts'
import { ACCESS_TAG, type AccessPlatform, requireAccess } from './access-platform.ts'
import {
  CheckAnswer,
  CheckQuery,
  ChecksAnswer,
  ChecksBody,
  PermissionsAnswer,
  PermissionsBody,
} from './access-shapes.ts'
import { signedInAs } from './named-principals.ts'
import { changePermissions, checkPermission, foundTarget, listPermissions } from './permissions.ts'

/** For callers about whom CKAN is asked. */
const CKAN_CHECKS_MAX = 50

type PlaceTarget = Exclude<Target, { on: 'transaction' }>
type AnyCall = Pick<Call<unknown, unknown>, 'param'>

/** What permissions are on: where the routes are, and what a request names. */
interface Securables {
  readonly kind: SecurableKind
  readonly path: string
  readonly parameters?: Readonly<Record<string, string>>
  /** Begins the operation ids. */
  readonly name: string
  readonly curl: string
  target(call: AnyCall): PlaceTarget
}

const SECURABLES: readonly Securables[] = [
  {
    ...{ kind: 'catalog', path: '/v1/permissions', name: 'Catalog', curl: '/v1/permissions' },
    target: () => ({ on: 'catalog', name: undefined }),
  },
  {
    ...{ kind: 'namespace', path: '/v1/namespaces/{namespace}/permissions', name: 'Namespace' },
    curl: '/v1/namespaces/aviation/permissions',
    target: ({ param }) => ({ on: 'namespace', name: param('namespace').split('.') }),
  },
  {
    ...{ kind: 'table', path: '/v1/tables/{table_identifier}/permissions', name: 'Table' },
    curl: '/v1/tables/aviation.flights/permissions',
    target: ({ param }) => ({ on: 'table', name: param('table_identifier') }),
  },
  {
    ...{ kind: 'view', path: '/v1/views/{view_identifier}/permissions', name: 'View' },
    curl: '/v1/views/aviation.late_flights/permissions',
    target: ({ param }) => ({ on: 'view', name: param('view_identifier') }),
  },
  {
    ...{ kind: 'export', path: '/v1/exports/{task}/permissions', name: 'Export' },
    parameters: { task: 'The name of the folder of the task.' },
    curl: '/v1/exports/agency/permissions',
    target: ({ param }) => ({ on: 'export', name: param('task') }),
  },
]

export function permissionRoutes(platform: AccessPlatform): readonly Route[] {
  return [...SECURABLES.flatMap((each) => routesOf(platform, each)), checkMany(platform)]
}

function routesOf(platform: AccessPlatform, each: Securables): readonly Route[] {
  const { kind, path, name, curl, target, parameters } = each
  const common = {
    tag: ACCESS_TAG,
    permission: 'in-use-case' as const,
    ...(parameters && { parameters }),
  }
  const example = kind === 'export' ? 'export' : 'select'
  const problems = ['access-off', ...(kind === 'catalog' ? [] : NOT_FOUND[kind])] as const
  const list = defineRoute(
    {
      ...{ ...common, method: 'get', path, operationId: `list${name}Permissions`, problems },
      summary: `List the permissions on ${withArticle(kind)}`,
      description: 'Those given on it, without what is inherited from above.',
      answers: [{ status: 200, description: 'All of them.', shape: PermissionsAnswer }],
      curl: `curl $MORAINE${curl}`,
    },
    async (call) => {
      await call.authorize('manage_grants', [target(call)])
      requireAccess(platform)
      const asked = { target: target(call), found: call.found }
      return jsonReply({ permissions: await listPermissions(platform, asked) })
    },
  )
  const change = defineRoute(
    {
      ...{ ...common, method: 'post', path, operationId: `change${name}Permissions` },
      summary: `Grant and revoke privileges on ${withArticle(kind)}`,
      description: 'All or nothing. Nobody can grant a privilege that they do not have.',
      body: PermissionsBody,
      changesNothing: true,
      answers: [{ status: 200, description: 'As they are now.', shape: PermissionsAnswer }],
      problems: [...problems, 'last-admin', 'key-not-found', 'role-not-found'],
      curl:
        `curl -X POST $MORAINE${curl} -H 'Content-Type: application/json' ` +
        `-d '{"grant":[{"principal":"role:readers","privilege":"${example}"}]}'`,
    },
    async (call) => {
      const { grant = [], revoke = [] } = call.body
      await call.authorize('manage_grants', [target(call)])
      for (const privilege of new Set(grant.map((each) => each.privilege))) {
        requireGrantable(privilege, kind)
        await call.authorize(privilege, [target(call)])
      }
      if (revoke.some(({ privilege }) => privilege === 'admin')) {
        await call.authorize('admin', [target(call)])
      }
      requireAccess(platform)
      const place = { target: target(call), found: call.found }
      const change = { grant, revoke, keeper: call.keeper }
      return jsonReply({ permissions: await changePermissions(platform, place, change) })
    },
  )
  const check = defineRoute(
    {
      ...{ ...common, method: 'get', path: `${path}/check` },
      operationId: `check${name}Permission`,
      summary: `Tell whether somebody has a privilege on ${withArticle(kind)}, and why`,
      query: CheckQuery,
      description: 'A key does no more than its scopes, and nothing once it has ended.',
      answers: [{ status: 200, description: 'The decision.', shape: CheckAnswer }],
      problems: [...problems, 'key-not-found'],
      curl: `curl "$MORAINE${curl}/check?privilege=${example}"`,
    },
    async (call) => {
      const { principal, privilege } = call.query
      const isOwn = principal === undefined || principal === nameOfPrincipal(call.principal)
      await call.authorize(isOwn ? 'describe' : 'manage_grants', [target(call)])
      requireAccess(platform)
      const found = await foundTarget(platform, { target: target(call), found: call.found })
      const who = isOwn ? call.principal : await signedInAs(platform, principal)
      return jsonReply(await checkPermission(platform, who, { privilege, target: found }))
    },
  )
  return [list, change, check]
}

const NOT_FOUND = {
  namespace: ['namespace-not-found', 'name-invalid'],
  table: ['table-not-found', 'name-invalid'],
  view: ['view-not-found', 'name-invalid'],
  export: ['export-not-found'],
} as const

const checkMany = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ method: 'post', path: '/v1/permissions/check', operationId: 'checkPermissions' },
      tag: ACCESS_TAG,
      permission: { privilege: 'describe', on: 'namespace', target: () => [] },
      summary: 'Tell which privileges the caller has, up to 1,000 at once',
      description:
        'What the caller may not know to exist is not allowed. Where CKAN is asked, for callers ' +
        `without a key, ${CKAN_CHECKS_MAX} at once at most.`,
      body: ChecksBody,
      changesNothing: true,
      answers: [{ status: 200, description: 'In the order asked.', shape: ChecksAnswer }],
      problems: ['access-off', 'name-invalid'],
      curl:
        `curl -X POST $MORAINE/v1/permissions/check -H 'Content-Type: application/json' ` +
        `-d '{"checks":[{"privilege":"select","on":"table","name":"aviation.flights"}]}'`,
    },
    async ({ body, principal, closed }) => {
      const { mode } = requireAccess(platform)
      if (mode === 'ckan' && principal.kind !== 'key') requireFew(body.checks)
      const checks = []
      for (const { privilege, on, name = '' } of body.checks) {
        closed.throwIfAborted()
        const target = targetOf(on, name)
        checks.push(await checkPermission(platform, principal, { privilege, target }))
      }
      return jsonReply({ checks })
    },
  )

/** Each may be one request to CKAN. */
function requireFew({ length }: readonly unknown[]): void {
  if (length <= CKAN_CHECKS_MAX) return
  const detail = `${length} checks: without a key, ask for ${CKAN_CHECKS_MAX} at once at most`
  throw new CatalogError('request-invalid', detail)
}

function targetOf(on: SecurableKind, name: string): PlaceTarget {
  if (on === 'catalog') return { on, name: undefined }
  return on === 'namespace' ? { on, name: name === '' ? [] : name.split('.') } : { on, name }
}

function requireGrantable(privilege: Privilege, kind: SecurableKind): void {
  if (isGrantable(privilege, kind)) return
  const elsewhere = privilege === 'export' ? 'an export' : 'the catalog'
  const only = kind === 'export' ? 'only export does' : `grant it on ${elsewhere}`
  const detail = `${privilege} says nothing about ${withArticle(kind)}: ${only}`
  throw new CatalogError('request-invalid', detail)
}

function withArticle(kind: SecurableKind): string {
  if (kind === CATALOG_SECURABLE) return 'the catalog'
  return kind === 'export' ? 'an export task' : `a ${kind}`
}
