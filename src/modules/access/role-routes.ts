import { isRoleName } from '../../core/access/principal-name.ts'
import { CatalogError } from '../../core/errors.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import {
  ACCESS_TAG,
  type AccessPlatform,
  administrators,
  lastAdmin,
  requireAccess,
} from './access-platform.ts'
import { DroppedRole, Me, MembersBody, RoleDescription, RolesAnswer } from './access-shapes.ts'
import { requirePrincipals, roleGone } from './named-principals.ts'

const ROLES = '/v1/roles'
const ROLE = { parameters: { role: 'Name of a role.' }, tag: ACCESS_TAG }
const ADMIN = { permission: onCatalog('admin'), tag: ACCESS_TAG }

export function roleRoutes(platform: AccessPlatform): readonly Route[] {
  return [me(platform), listRoles(platform), changeMembers(platform), dropRole(platform)]
}

const me = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ method: 'get', path: '/v1/me', operationId: 'getMe', tag: ACCESS_TAG },
      permission: { privilege: 'describe', on: 'namespace', target: () => [] },
      summary: 'Tell who the caller is',
      description: 'With all names under which privileges are had: roles, groups and `everyone`.',
      answers: [{ status: 200, description: 'The caller.', shape: Me }],
      problems: [],
      curl: 'curl $MORAINE/v1/me',
    },
    ({ principal }) => {
      const { access } = platform
      const name = nameOfPrincipal(principal)
      const principals = access === undefined ? [name] : access.keeper.book.namesOf(principal)
      const scopes = principal.kind === 'anonymous' ? null : principal.scopes
      return jsonReply({ auth: access?.mode ?? 'none', principal: name, principals, scopes })
    },
  )

const listRoles = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...ADMIN, method: 'get', path: ROLES, operationId: 'listRoles' },
      summary: 'List roles with their members',
      answers: [{ status: 200, description: 'All roles.', shape: RolesAnswer }],
      problems: ['access-off'],
      curl: 'curl $MORAINE/v1/roles',
    },
    async () => {
      requireAccess(platform)
      return jsonReply({ roles: await platform.catalog.grants.listRoles() })
    },
  )

const changeMembers = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...ADMIN, ...ROLE, method: 'post', path: `${ROLES}/{role}/members` },
      operationId: 'changeMembers',
      summary: 'Add and remove members of a role',
      description: 'Makes the role if it is not there. Roles may be members of roles.',
      body: MembersBody,
      changesNothing: true,
      answers: [{ status: 200, description: 'The role as it is now.', shape: RoleDescription }],
      problems: ['access-off', 'last-admin', 'key-not-found', 'role-not-found'],
      curl:
        `curl -X POST $MORAINE/v1/roles/readers/members -H 'Content-Type: application/json' ` +
        `-d '{"add":["key:k3v9x2m1q8z7"]}'`,
    },
    async ({ param, body, keeper }) => {
      const { keeper: book, hasForeignRoles } = requireAccess(platform)
      const { grants } = platform.catalog
      const role = param('role')
      if (!isRoleName(role)) {
        throw new CatalogError('request-invalid', 'A role has letters, digits, _, . and -')
      }
      const { add = [], remove = [] } = body
      const named = await requirePrincipals(
        platform,
        add.filter((each) => each !== `role:${role}`),
      )
      const members = { role, add, remove, roles: named }
      const change = { ...members, hasForeignRoles, ...administrators(platform) }
      const outcome = await grants.changeRole(change, keeper.withEffect({ status: 200 }))
      if (outcome === 'role-gone') throw roleGone()
      if (outcome === 'last-admin') throw lastAdmin()
      if (outcome === 'cyclic') {
        throw new CatalogError('request-invalid', `The role ${role} would be its own member`)
      }
      await book.catchUp()
      const roles = await grants.listRoles()
      return jsonReply(roles.find((each) => each.role === role) ?? { role, members: [] })
    },
  )

const dropRole = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...ADMIN, ...ROLE, method: 'delete', path: `${ROLES}/{role}`, operationId: 'dropRole' },
      summary: 'Drop a role',
      description:
        'Its privileges go with it, and its name in policies: a later role of that name begins ' +
        'with none, and no policy excepts or trusts it.',
      changesNothing: true,
      answers: [{ status: 200, description: 'Dropped.', shape: DroppedRole }],
      problems: ['access-off', 'role-not-found', 'last-admin'],
      curl: 'curl -X DELETE $MORAINE/v1/roles/readers',
    },
    async ({ param, keeper }) => {
      const { keeper: book } = requireAccess(platform)
      const role = param('role')
      const kept = keeper.withEffect({ status: 200 })
      const drop = { role, ...administrators(platform) }
      const outcome = await platform.catalog.grants.dropRole(drop, kept)
      if (outcome === 'last-admin') throw lastAdmin()
      if (outcome === 'not-found') throw new ProblemError('role-not-found', 'No role has this name')
      await book.catchUp()
      return jsonReply({ role })
    },
  )
