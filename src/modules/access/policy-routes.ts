import type { AnswerKeeper } from '../../core/replay.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import { bindRestriction } from '../../core/table/restriction.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { type TablePolicy, toldPolicy } from '../../core/table/table-policy.ts'
import { onTable } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTable, tableNotFound } from '../../lake/table/table-lookup.ts'
import { ACCESS_TAG, type AccessPlatform, requireAccess } from './access-platform.ts'
import { PolicyAnswer, PolicyBody } from './access-shapes.ts'
import { requirePrincipals, roleGone } from './named-principals.ts'

const COMMON = {
  path: '/v1/tables/{table_identifier}/policy',
  tag: ACCESS_TAG,
  permission: onTable('manage_grants'),
} as const
const PROBLEMS = ['access-off', 'table-not-found', 'name-invalid'] as const
const CURL = '$MORAINE/v1/tables/aviation.flights/policy'
const NO_POLICY: TablePolicy = { rowFilter: null, except: [] }

export function policyRoutes(platform: AccessPlatform): readonly Route[] {
  return [getPolicy(platform), setPolicy(platform), dropPolicy(platform)]
}

const getPolicy = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'get', operationId: 'getTablePolicy', problems: PROBLEMS },
      summary: 'Get the policy on the rows of a table',
      answers: [{ status: 200, description: 'The policy, if any.', shape: PolicyAnswer }],
      curl: `curl ${CURL}`,
    },
    async (call) => {
      requireAccess(platform)
      const { catalog } = asking(platform, call)
      const { definition } = await getTable(catalog, call.param('table_identifier'))
      const [kept] = await platform.catalog.policies.listOn([definition.tableUuid])
      return shown(kept?.policy)
    },
  )

const setPolicy = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'put', operationId: 'setTablePolicy' },
      summary: 'Set the policy on the rows and columns of a table',
      description:
        'All who are not excepted have of the table what is left in its dumps: rows that do ' +
        'not match are left out, and columns are changed. They are refused everything else: ' +
        'files, statistics, credentials, and every change of it. Trusted engines load it over ' +
        'Iceberg REST with `read-restrictions`, and apply them.',
      body: PolicyBody,
      changesNothing: true,
      answers: [{ status: 200, description: 'The policy as it is now.', shape: PolicyAnswer }],
      problems: [...PROBLEMS, 'filter-invalid', 'key-not-found', 'role-not-found'],
      curl:
        `curl -X PUT ${CURL} -H 'Content-Type: application/json' ` +
        `-d '{"row_filter":"carrier = 1","columns":[{"column":"tail","action":"show-last-4"}],` +
        `"except":["role:staff"]}'`,
    },
    async ({ param, body, keeper, found }) => {
      const { row_filter: rowFilter = null, columns = [], except = [] } = body
      const { trusted_engines: trustedEngines = [] } = body
      const policy = { rowFilter, columns, except, trustedEngines }
      return change(asking(platform, { found }), param('table_identifier'), { keeper, policy })
    },
  )

const dropPolicy = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'delete', operationId: 'dropTablePolicy', problems: PROBLEMS },
      summary: 'Take the policy on the rows of a table away',
      changesNothing: true,
      answers: [{ status: 200, description: 'There is none now.', shape: PolicyAnswer }],
      curl: `curl -X DELETE ${CURL}`,
    },
    ({ param, keeper, found }) => {
      const asked = asking(platform, { found })
      return change(asked, param('table_identifier'), { keeper, policy: undefined })
    },
  )

async function change(
  platform: AccessPlatform,
  identifier: string,
  { keeper, ...given }: { readonly keeper: AnswerKeeper; readonly policy: TablePolicy | undefined },
): Promise<Reply> {
  const access = requireAccess(platform)
  const state = await getTable(platform.catalog, identifier)
  const { definition, namespace } = state
  refuseReserved(namespace)
  const { tableUuid, currentSchemaId: schemaId } = definition
  const policy = given.policy && { ...given.policy, names: { tableUuid, schemaId } }
  if (policy !== undefined) bindRestriction(policy, definition, schemaId)
  const { except = [], trustedEngines = [] } = policy ?? {}
  const roles = await requirePrincipals(platform, [...except, ...trustedEngines])
  const name = formatTableName(namespace, state.name)
  const outcome = await platform.catalog.policies.change(
    { tableUuid, name, policy, roles },
    keeper.withEffect({ status: 200 }),
  )
  if (outcome === 'not-found') throw tableNotFound({ tableUuid })
  if (outcome === 'role-gone') throw roleGone()
  await access.keeper.catchUp()
  return shown(policy)
}

function shown(policy: TablePolicy = NO_POLICY): Reply {
  return jsonReply({ ...toldPolicy(policy) })
}
