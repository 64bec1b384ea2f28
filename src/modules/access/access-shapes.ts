import { z } from 'zod'
import { isPrincipalName } from '../../core/access/principal-name.ts'
import { PRIVILEGES } from '../../core/access/privilege.ts'
import { COLUMN_ACTIONS } from '../../core/table/table-policy.ts'
import { boundedArray } from '../../http/bounded-shapes.ts'
import { NextPageToken, PageQuery } from '../../http/common-shapes.ts'

const CHANGES_MAX = 1_000
const CHECKS_MAX = 1_000
const MEMBERS_MAX = 10_000
const DESCRIPTION_MAX = 1_000
const FILTER_MAX = 10_000
const COLUMNS_MAX = 1_000
const NAME_MAX = 1_000
/** Events and the audit have policies whole, those before, too. */
const POLICY_LENGTH_MAX = 100_000
const DAYS_MAX = 3_650

const SECURABLE_KINDS = ['catalog', 'namespace', 'table', 'view', 'export'] as const

const PrivilegeName = z.enum(PRIVILEGES)
/** The same with a rule that JSON schema cannot say. */
export const PrincipalName = z
  .string()
  .max(512)
  .refine(isPrincipalName, 'is no principal: user:<issuer>~<sub>, key:<id>, role:<name> or so')
  .meta({ description: 'Who: `key:<id>`, `role:<name>`, `everyone`...', example: 'role:readers' })

const GrantShape = z
  .strictObject({ principal: PrincipalName, privilege: PrivilegeName })
  .meta({ id: 'Grant', example: { principal: 'role:readers', privilege: 'select' } })

const GrantsOf = boundedArray(GrantShape, { max: CHANGES_MAX })

export const PermissionsBody = z
  .strictObject({ grant: GrantsOf.optional(), revoke: GrantsOf.optional() })
  .meta({
    id: 'ChangePermissions',
    example: { grant: [{ principal: 'role:readers', privilege: 'select' }], revoke: [] },
  })

export const PermissionsAnswer = z.strictObject({ permissions: z.array(GrantShape) }).meta({
  id: 'Permissions',
  example: { permissions: [{ principal: 'everyone', privilege: 'select' }] },
})

export const PrincipalGrantsAnswer = z
  .strictObject({
    principal: z.string(),
    grants: z.array(
      z.strictObject({
        privilege: PrivilegeName,
        on: z.enum(SECURABLE_KINDS),
        name: z.string().nullable().meta({ description: 'Null for the catalog.' }),
        through: z.string().meta({ description: 'The name that has it: their own, or a role.' }),
      }),
    ),
    next_page_token: NextPageToken,
  })
  .meta({
    id: 'PrincipalGrants',
    example: {
      principal: 'key:k3v9x2m1q8z7',
      grants: [{ privilege: 'select', on: 'namespace', name: 'aviation', through: 'role:readers' }],
      next_page_token: null,
    },
  })

const EXAMPLE_POLICY = {
  row_filter: "origin = 'LAX'",
  columns: [{ column: 'tail_number', action: 'show-last-4' }],
  except: ['role:staff'],
  trusted_engines: [],
}

const PolicyColumn = z
  .strictObject({
    column: z.string().min(1).max(NAME_MAX).meta({ description: 'A top-level column.' }),
    action: z.enum(COLUMN_ACTIONS).meta({
      description: 'As in `read-restrictions` of Iceberg REST.',
    }),
  })
  .meta({ id: 'PolicyColumn', example: { column: 'tail_number', action: 'show-last-4' } })

export const PolicyBody = z
  .strictObject({
    row_filter: z.string().min(1).max(FILTER_MAX).nullable().optional().meta({
      description: 'Rows that those may see who are not excepted; all by default.',
      example: "origin = 'LAX'",
    }),
    columns: boundedArray(PolicyColumn, { max: COLUMNS_MAX }).optional().meta({
      description: 'Columns that they see changed; all others as they are.',
    }),
    except: boundedArray(PrincipalName, { max: CHANGES_MAX }).optional().meta({
      description: 'For whom the policy does not hold.',
    }),
    trusted_engines: boundedArray(PrincipalName, { max: CHANGES_MAX })
      .optional()
      .meta({
        description:
          'Engines that read all of it, and apply the policy as `read-restrictions` of ' +
          'Iceberg REST say. Name none that does not: it would show everything.',
      }),
  })
  .refine((body) => lengthOf(body) <= POLICY_LENGTH_MAX, {
    error: `may have at most ${POLICY_LENGTH_MAX} characters: put principals into a role`,
  })
  .meta({ id: 'TablePolicy', example: EXAMPLE_POLICY })

/** Also where a list is too long, and its items, which may be large integers, were not read. */
function lengthOf(body: unknown): number {
  const asText = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)
  return JSON.stringify(body, asText).length
}

export const PolicyAnswer = z
  .strictObject({
    row_filter: z.string().nullable(),
    columns: z.array(PolicyColumn),
    except: z.array(z.string()),
    trusted_engines: z.array(z.string()),
  })
  .meta({
    id: 'TablePolicyAnswer',
    description: 'Without a policy all rows and columns are shown.',
    example: EXAMPLE_POLICY,
  })

export const CheckQuery = z.strictObject({
  principal: PrincipalName.optional().meta({ description: 'The caller if absent.' }),
  privilege: PrivilegeName,
})

export const CheckAnswer = z
  .strictObject({
    allowed: z.boolean(),
    restricted: z.boolean().meta({
      description: 'Only a policy on the table takes it away; with select, dumps have the rest.',
    }),
    because: z.array(
      z.strictObject({
        privilege: PrivilegeName,
        on: z.string(),
        through: z.string().meta({
          description: 'The principal that it is granted to; `policy`: takes it away again.',
        }),
      }),
    ),
  })
  .meta({
    id: 'PermissionCheck',
    example: {
      allowed: true,
      restricted: false,
      because: [{ privilege: 'own', on: 'aviation', through: 'role:ops' }],
    },
  })

export const ChecksBody = z
  .strictObject({
    checks: boundedArray(
      z.strictObject({
        privilege: PrivilegeName,
        on: z.enum(SECURABLE_KINDS),
        name: z.string().max(2_048).optional(),
      }),
      { max: CHECKS_MAX },
    ),
  })
  .meta({
    id: 'PermissionChecks',
    example: { checks: [{ privilege: 'select', on: 'table', name: 'aviation.flights' }] },
  })

export const ChecksAnswer = z.strictObject({ checks: z.array(CheckAnswer) }).meta({
  id: 'PermissionChecksAnswer',
  example: { checks: [{ allowed: false, restricted: true, because: [] }] },
})

export const Me = z
  .strictObject({
    auth: z.enum(['none', 'keys', 'oidc', 'ckan']),
    principal: z.string(),
    principals: z.array(z.string()),
    scopes: z.array(PrivilegeName).nullable(),
  })
  .meta({
    id: 'Me',
    example: { auth: 'none', principal: 'anonymous', principals: ['anonymous'], scopes: null },
  })

export const CreateKeyBody = z
  .strictObject({
    description: z.string().max(DESCRIPTION_MAX).optional(),
    scopes: boundedArray(PrivilegeName, { min: 1, max: PRIVILEGES.length }).optional(),
    expires_in_days: z.int().min(1).max(DAYS_MAX).optional(),
  })
  .meta({ id: 'CreateKey', example: { description: 'nightly load', scopes: ['modify', 'create'] } })

const EXAMPLE_KEY = {
  key_id: 'k3v9x2m1q8z7',
  principal: 'key:k3v9x2m1q8z7',
  description: 'nightly load',
  scopes: ['modify', 'create'],
  created_by: 'key:a1b2c3d4e5f6',
  created_at: '2026-11-28T09:00:00.000Z',
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
}

const KEY_MEMBERS = {
  key_id: z.string(),
  principal: z.string(),
  description: z.string().nullable(),
  scopes: z.array(PrivilegeName).nullable(),
  created_by: z.string(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable().meta({ description: 'By the hour.' }),
}

export const KeyDescription = z.strictObject(KEY_MEMBERS).meta({ id: 'Key', example: EXAMPLE_KEY })

export const NewKeyAnswer = z
  .strictObject({ ...KEY_MEMBERS, key: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'NewKey', example: { ...EXAMPLE_KEY, key: 'mor_<id>_<secret>' } })

export const KeysQuery = z.strictObject(PageQuery)
export const KeysAnswer = z
  .strictObject({ keys: z.array(KeyDescription), next_page_token: NextPageToken })
  .meta({ id: 'Keys', example: { keys: [EXAMPLE_KEY], next_page_token: null } })

const Members = boundedArray(PrincipalName, { max: MEMBERS_MAX })
export const MembersBody = z
  .strictObject({ add: Members.optional(), remove: Members.optional() })
  .meta({ id: 'ChangeMembers', example: { add: ['key:k3v9x2m1q8z7'] } })

export const RoleDescription = z
  .strictObject({ role: z.string(), members: z.array(z.string()) })
  .meta({ id: 'Role', example: { role: 'readers', members: ['key:k3v9x2m1q8z7'] } })

export const RolesAnswer = z
  .strictObject({ roles: z.array(RoleDescription) })
  .meta({ id: 'Roles', example: { roles: [{ role: 'readers', members: [] }] } })

export const DroppedRole = z
  .strictObject({ role: z.string() })
  .meta({ id: 'DroppedRole', example: { role: 'readers' } })
