import {
  CATALOG_SECURABLE,
  droppedSecurable,
  type Grant,
  type Place,
  type Role,
} from '../../catalog/grant-store.ts'
import { EVERYONE } from '../../core/access/principal-name.ts'
import { BIT_OF, bitsThatInclude, type Privilege } from '../../core/access/privilege.ts'
import type { HeldPolicy, TablePolicy } from '../../core/table/table-policy.ts'
import { nameOfPrincipal, type Principal } from '../../http/authorizer.ts'

/** A privilege, by whom it is had, and what it was given on. */
export interface Reason {
  readonly privilege: Privilege
  /** What it is on: a UUID, or `CATALOG_SECURABLE`. */
  readonly on: string
  /** The name that has it: the principal's own, or that of a role or group it belongs to. */
  readonly through: string
}

const CLOSURES_MAX = 10_000

/**
 * All grants and roles, in memory: a check is a few look-ups in maps. `BookKeeper` keeps it up to
 * date.
 */
export class GrantBook {
  /** Privileges as bits, by securable and principal. */
  readonly #grants = new Map<string, Map<string, number>>()
  /** UUIDs of the namespaces on the way to each securable that has grants. */
  readonly #paths = new Map<string, readonly string[]>()
  /** By principal: how many of the things granted to it are in each namespace, at any depth. */
  readonly #seen = new Map<string, Map<string, number>>()
  /** Roles that each principal is a direct member of. */
  #rolesOf = new Map<string, readonly string[]>()
  /** Their names as grants have them. */
  #roles: ReadonlySet<string> = new Set()
  /** Policies on tables, by UUID. */
  readonly #policies = new Map<string, TablePolicy>()
  readonly #closures = new Map<string, readonly string[]>()

  /** Replaces what is known of a securable. `path`: empty for one that is gone. */
  set(securable: string, grants: readonly Grant[], path: readonly string[]): void {
    this.#forget(securable)
    if (grants.length === 0) return
    const bits = new Map<string, number>()
    for (const { principal, privilege } of grants) {
      bits.set(principal, (bits.get(principal) ?? 0) | BIT_OF[privilege])
    }
    this.#grants.set(securable, bits)
    this.#paths.set(securable, path)
    for (const principal of bits.keys()) this.#count(principal, path, 1)
  }

  #forget(securable: string): void {
    const path = this.#paths.get(securable) ?? []
    for (const principal of this.#grants.get(securable)?.keys() ?? []) {
      this.#count(principal, path, -1)
    }
    this.#grants.delete(securable)
    this.#paths.delete(securable)
  }

  #count(principal: string, path: readonly string[], by: number): void {
    const counts = this.#seen.get(principal) ?? new Map<string, number>()
    // The catalog itself is on every path: counts whether anything at all is granted.
    for (const uuid of [CATALOG_SECURABLE, ...path]) {
      const count = (counts.get(uuid) ?? 0) + by
      if (count > 0) counts.set(uuid, count)
      else counts.delete(uuid)
    }
    if (counts.size > 0) this.#seen.set(principal, counts)
    else this.#seen.delete(principal)
  }

  setRoles(roles: readonly Role[]): void {
    const rolesOf = new Map<string, string[]>()
    for (const { role, members } of roles) {
      for (const member of members) {
        const known = rolesOf.get(member)
        if (known === undefined) rolesOf.set(member, [`role:${role}`])
        else known.push(`role:${role}`)
      }
    }
    this.#rolesOf = rolesOf
    this.#roles = new Set(roles.map(({ role }) => `role:${role}`))
    this.#closures.clear()
  }

  /** Whether there is a role that grants call so. */
  hasRole(name: string): boolean {
    return this.#roles.has(name)
  }

  /** Replaces the policy of a table; `undefined`: it has none. */
  setPolicy(tableUuid: string, policy: TablePolicy | undefined): void {
    if (policy === undefined) this.#policies.delete(tableUuid)
    else this.#policies.set(tableUuid, policy)
  }

  isRestrictedAnywhere(names: readonly string[]): boolean {
    for (const uuid of this.#policies.keys()) if (this.isRestricted(names, uuid)) return true
    return false
  }

  /** Tables with a policy. */
  get restricted(): readonly string[] {
    return [...this.#policies.keys()]
  }

  /** The policy on the table, if it holds for whoever has these names. */
  policyFor(names: readonly string[], tableUuid: string | undefined): HeldPolicy | undefined {
    const policy = this.#policyHeld(names, tableUuid)
    const { trustedEngines = [] } = policy ?? {}
    return policy && { ...policy, isTrusted: trustedEngines.some((name) => names.includes(name)) }
  }

  #policyHeld(names: readonly string[], tableUuid: string | undefined): TablePolicy | undefined {
    const policy = tableUuid === undefined ? undefined : this.#policies.get(tableUuid)
    return policy?.except.some((name) => names.includes(name)) === true ? undefined : policy
  }

  isRestricted(names: readonly string[], tableUuid: string | undefined): boolean {
    return this.#policyHeld(names, tableUuid) !== undefined
  }

  get securables(): readonly string[] {
    return [...this.#grants.keys()]
  }

  /**
   * All names whose privileges the principal has: its own, `everyone`, what it is a member of as
   * its token says, and the roles of all these.
   */
  namesOf(principal: Principal): readonly string[] {
    const name = nameOfPrincipal(principal)
    const memberOf = principal.kind === 'anonymous' ? [] : (principal.memberOf ?? [])
    // No name has a line break in it.
    const key = memberOf.length === 0 ? name : [name, ...memberOf].join('\n')
    const known = this.#closures.get(key)
    if (known !== undefined) return known
    const names = new Set([name, EVERYONE, ...memberOf])
    for (const name of names) for (const role of this.#rolesOf.get(name) ?? []) names.add(role)
    if (this.#closures.size >= CLOSURES_MAX) this.#closures.clear()
    const closure = [...names]
    this.#closures.set(key, closure)
    return closure
  }

  /**
   * Bits of all privileges that the names have on the first of the securables, or inherit from the
   * others. A policy on it leaves those of them that show no rows.
   */
  bitsOf(names: readonly string[], securables: readonly string[]): number {
    const bits = this.grantedTo(names, securables)
    return this.isRestricted(names, securables[0]) ? withoutRows(bits) : bits
  }

  /** The same, whatever policies say. */
  grantedTo(names: readonly string[], securables: readonly string[]): number {
    let bits = 0
    for (const securable of securables) {
      const granted = this.#grants.get(securable)
      if (granted === undefined) continue
      for (const name of names) bits |= granted.get(name) ?? 0
    }
    return bits
  }

  /** Whether the table was dropped, and readers of its datasets are kept. */
  isDropped(tableUuid: string): boolean {
    return this.#grants.has(droppedSecurable(tableUuid))
  }

  /** Whether anything in the namespace, at any depth, or the namespace itself is granted. */
  hasGrantsWithin(names: readonly string[], namespaceUuid: string): boolean {
    return names.some((name) => this.#seen.get(name)?.has(namespaceUuid) === true)
  }

  /** Why a privilege is had: the nearest thing first. Empty: it is not. */
  reasonsFor(
    wanted: Privilege,
    names: readonly string[],
    securables: readonly string[],
  ): readonly Reason[] {
    return securables.flatMap((on) =>
      names.flatMap((through) =>
        privilegesOf((this.#grants.get(on)?.get(through) ?? 0) & bitsThatInclude(wanted)).map(
          (privilege) => ({ privilege, on, through }),
        ),
      ),
    )
  }
}

function withoutRows(bits: number): number {
  return (['describe', 'manage_grants'] as const)
    .filter((kept) => (bits & bitsThatInclude(kept)) !== 0)
    .reduce((left, kept) => left | BIT_OF[kept], 0)
}

function privilegesOf(bits: number): readonly Privilege[] {
  return (Object.keys(BIT_OF) as Privilege[]).filter(
    (privilege) => (bits & BIT_OF[privilege]) !== 0,
  )
}

/** What a privilege on the place may be given on: itself, all namespaces above it, the catalog. */
export function chainOf({ kind, uuid, namespaceUuids }: Place): readonly string[] {
  const above = [...namespaceUuids].reverse()
  return [...(kind === 'namespace' ? [] : [uuid]), ...above, CATALOG_SECURABLE]
}

/** The same for a table that was dropped, of which datasets live. */
export function chainOfDropped(tableUuid: string): readonly string[] {
  return [tableUuid, droppedSecurable(tableUuid), CATALOG_SECURABLE]
}
