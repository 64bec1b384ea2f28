/**
 * Permitted actions. The first four include those before them: `describe` shows that a thing
 * exists and its name, `select` its definition and rows, `modify` changes rows and definition,
 * `own` drops, renames and shares. `create` is needed on the namespace of a new thing,
 * `manage_grants` gives and takes privileges, `export`, on tasks of exports only, runs them, and
 * `admin`, on the catalog only, is everything.
 */
export const PRIVILEGES = [
  'describe',
  'select',
  'modify',
  'own',
  'create',
  'manage_grants',
  'export',
  'admin',
] as const

export type Privilege = (typeof PRIVILEGES)[number]

/** One bit for each privilege, as sets of them are kept. */
export const BIT_OF: Readonly<Record<Privilege, number>> = {
  describe: 1,
  select: 2,
  modify: 4,
  own: 8,
  create: 16,
  manage_grants: 32,
  admin: 64,
  export: 128,
}

const { describe, select, modify, own, create, manage_grants, export: exports } = BIT_OF

/** The privileges that each one includes, itself among them, as bits. */
const INCLUDED: Readonly<Record<Privilege, number>> = {
  describe,
  select: describe | select,
  modify: describe | select | modify,
  own: describe | select | modify | own | create | manage_grants,
  create,
  manage_grants: describe | manage_grants,
  export: describe | exports,
  admin: 255,
}

/** Whether whoever has `held` has `wanted`, too. */
export function includes(held: Privilege, wanted: Privilege): boolean {
  return (INCLUDED[held] & BIT_OF[wanted]) !== 0
}

/** Privileges that include `wanted`, as bits: having one of them is enough. */
export function bitsThatInclude(wanted: Privilege): number {
  return BITS_THAT_INCLUDE[wanted]
}

/** Privileges that include `wanted`, by name. */
export function privilegesThatInclude(wanted: Privilege): readonly Privilege[] {
  return PRIVILEGES.filter((held) => includes(held, wanted))
}

const BITS_THAT_INCLUDE = Object.fromEntries(
  PRIVILEGES.map((wanted) => [
    wanted,
    privilegesThatInclude(wanted).reduce((bits, held) => bits | BIT_OF[held], 0),
  ]),
) as Readonly<Record<Privilege, number>>

/** The kinds of things that privileges are given on. */
export type SecurableKind = 'catalog' | 'namespace' | 'table' | 'view' | 'export'

/** Whether the privilege says anything about things of this kind. */
export function isGrantable(privilege: Privilege, kind: SecurableKind): boolean {
  if (privilege === 'export' || kind === 'export') return kind === privilege
  if (privilege === 'admin') return kind === 'catalog'
  if (privilege === 'create') return kind === 'catalog' || kind === 'namespace'
  return true
}
