import type { Privilege } from '../core/access/privilege.ts'
import type { MutationOptions } from './replay-store.ts'

/** In place of the UUID of what a privilege is given on. */
export const CATALOG_SECURABLE = 'catalog'

const EXPORT = 'export:'

/** In place of the UUID of an export task, which is a folder and is known by its name. */
export function exportSecurable(task: string): string {
  return `${EXPORT}${task}`
}

/** The task's name; `undefined`: it is the securable of something else. */
export function exportOfSecurable(securable: string): string | undefined {
  return securable.startsWith(EXPORT) ? securable.slice(EXPORT.length) : undefined
}

/** Whether it is the UUID of something that has a place: a namespace, a table, a view. */
export function isPlaceSecurable(securable: string): boolean {
  return securable !== CATALOG_SECURABLE && exportOfSecurable(securable) === undefined
}

/**
 * In place of the UUID of a table that was dropped: what was granted on it and above it then, which
 * datasets of it that live are read by.
 */
export function droppedSecurable(tableUuid: string): string {
  return `dropped:${tableUuid}`
}

/**
 * Who may do what, and the members of roles. Privileges are kept by the UUIDs of tables, views and
 * namespaces: they follow a renaming, pass to what replaces a thing, and outlive its drop until
 * `forgetOrphans`; those on export tasks, by name, until they are revoked. Whoever creates a thing
 * and is signed in gets `own` on it in the same database transaction. Changes raise
 * `moraine.permissions.changed.v1` and `moraine.role.changed.v1`. Its contract:
 * test/catalog/grants.contract.ts.
 */
export interface GrantStore {
  /** All of them, in no order. */
  listAll(): Promise<readonly Grant[]>
  /** On these securables. */
  listOn(securables: readonly string[]): Promise<readonly Grant[]>
  /** To this principal by name, not through roles. */
  listOf(principal: string): Promise<readonly Grant[]>
  /** What tables, views and namespaces with these UUIDs are called now; others are left out. */
  findPlaces(uuids: readonly string[]): Promise<readonly Place[]>
  /** The thing of this name, if there is one. */
  findPlace(named: PlaceKey): Promise<Place | undefined>
  /**
   * Grants and revokes, all or nothing. `last-admin` when nobody who can sign in would have `admin`
   * afterwards; `not-found` when the thing is gone; `role-gone` when one of `roles` is not there.
   */
  change(
    change: GrantChange,
    options?: MutationOptions,
  ): Promise<'changed' | 'not-found' | 'last-admin' | 'role-gone'>
  listRoles(): Promise<readonly Role[]>
  /** Makes the role if it is not there; `cyclic` when it would be a member of itself. */
  changeRole(
    change: RoleChange,
    options?: MutationOptions,
  ): Promise<'changed' | 'last-admin' | 'cyclic' | 'role-gone'>
  /** Takes all privileges and memberships of the role, too, and its name out of all policies. */
  dropRole(
    drop: Administrators & Pick<RoleChange, 'role'>,
    options?: MutationOptions,
  ): Promise<'dropped' | 'not-found' | 'last-admin'>
  /**
   * Notes which privileges are on things that are gone, and forgets those noted before `beforeMs`,
   * which raises an event for each thing. Returns how many it forgot.
   */
  forgetOrphans(query: { readonly nowMs: number; readonly beforeMs: number }): Promise<number>
}

export interface Grant {
  /** UUID of a table, view or namespace, `CATALOG_SECURABLE`, or an `exportSecurable`. */
  readonly securable: string
  readonly principal: string
  readonly privilege: Privilege
}

export type PlaceKey =
  | { readonly kind: 'namespace'; readonly levels: readonly string[] }
  | {
      readonly kind: 'table' | 'view'
      readonly levels: readonly string[]
      readonly name: string
    }

/** Where a table, view or namespace is. */
export interface Place {
  readonly kind: 'table' | 'view' | 'namespace'
  readonly uuid: string
  /** Levels of the namespace itself, or of the one that has the table or view. */
  readonly levels: readonly string[]
  /** Empty for a namespace. */
  readonly name: string
  /** Whether `levels` are a namespace of the catalog, with the ids of all, the outermost first. */
  readonly namespaceUuids: readonly string[]
}

/** Who counts as an administrator. */
export interface Administrators {
  readonly nowMs: number
  /** Whether only keys sign in: what users and groups are granted is then of use to nobody. */
  readonly onlyKeysSignIn?: boolean
}

/** Names of roles, without `role:`, that are given something and must be there. */
export interface RequiredRoles {
  readonly roles?: readonly string[]
}

export interface GrantChange extends Administrators, RequiredRoles {
  readonly securable: string
  /** How events name the thing. */
  readonly name: string
  readonly grant: readonly Omit<Grant, 'securable'>[]
  readonly revoke: readonly Omit<Grant, 'securable'>[]
}

export interface Role {
  readonly role: string
  readonly members: readonly string[]
}

export interface RoleChange extends Administrators, RequiredRoles {
  readonly role: string
  /** A provider names roles, which policies may name though they are not made here. */
  readonly hasForeignRoles?: boolean
  readonly add: readonly string[]
  readonly remove: readonly string[]
}
