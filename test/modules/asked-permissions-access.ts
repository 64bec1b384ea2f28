import type { Expected } from './asked-permissions.ts'

const GRANT = { grant: [{ principal: 'role:readers', privilege: 'select' }] }
const POLICY = '/v1/tables/sky.planets/policy'
const EXPORT = '/v1/exports/nothing/permissions'
const CHECK = '/permissions/check?privilege=modify'

function of(path: string, name: string, on: string): Readonly<Record<string, Expected>> {
  return {
    [`list${name}Permissions`]: { path: `${path}/permissions`, asks: [`manage_grants ${on}`] },
    [`change${name}Permissions`]: {
      path: `${path}/permissions`,
      json: GRANT,
      asks: [`manage_grants ${on}`, `select ${on}`],
    },
    [`check${name}Permission`]: { path: `${path}${CHECK}`, asks: [`describe ${on}`] },
  }
}

/** By operation, as `EXPECTED`. */
export const ACCESS_EXPECTED: Readonly<Record<string, Expected>> = {
  createKey: { path: '/v1/keys', json: {}, asks: ['admin catalog'] },
  listKeys: { path: '/v1/keys', asks: ['admin catalog'] },
  revokeKey: { path: '/v1/keys/nothing00000', asks: ['admin catalog'] },
  ...of('/v1', 'Catalog', 'catalog'),
  ...of('/v1/namespaces/sky', 'Namespace', 'namespace [sky]'),
  ...of('/v1/tables/sky.planets', 'Table', 'table sky.planets'),
  ...of('/v1/views/sky.bright', 'View', 'view sky.bright'),
  listExportPermissions: { path: EXPORT, asks: ['manage_grants export nothing'] },
  changeExportPermissions: {
    path: EXPORT,
    json: { grant: [{ principal: 'role:readers', privilege: 'export' }] },
    asks: ['manage_grants export nothing', 'export export nothing'],
  },
  checkExportPermission: {
    path: `${EXPORT}/check?privilege=export`,
    asks: ['describe export nothing'],
  },
  getTablePolicy: { path: POLICY, asks: ['manage_grants table sky.planets'] },
  setTablePolicy: {
    path: POLICY,
    json: { row_filter: 'id > 1', except: ['everyone'] },
    asks: ['manage_grants table sky.planets'],
  },
  dropTablePolicy: { path: POLICY, asks: ['manage_grants table sky.planets'] },
  checkPermissions: {
    path: '/v1/permissions/check',
    json: { checks: [{ privilege: 'select', on: 'table', name: 'sky.planets' }] },
    asks: ['describe namespace []'],
  },
  listPrincipalGrants: { path: '/v1/principals/role:readers/grants', asks: ['admin catalog'] },
  listAuditLogs: { path: '/v1/audit-logs', asks: ['admin catalog'] },
  listTableAuditLogs: {
    path: '/v1/tables/sky.planets/audit-logs',
    asks: ['own table sky.planets'],
  },
  listViewAuditLogs: { path: '/v1/views/sky.bright/audit-logs', asks: ['own view sky.bright'] },
  listUsage: { path: '/v1/usage', asks: ['admin catalog'] },
  getMe: { path: '/v1/me', asks: ['describe namespace []'] },
  listRoles: { path: '/v1/roles', asks: ['admin catalog'] },
  changeMembers: {
    path: '/v1/roles/readers/members',
    json: { add: ['role:others'] },
    asks: ['admin catalog'],
  },
  dropRole: { path: '/v1/roles/nothing', asks: ['admin catalog'] },
}
