import type { Privilege } from '../core/access/privilege.ts'
import type { Readers, Visibility } from '../core/access/visibility.ts'
import type { AskedNamespace } from '../core/replay.ts'
import type { NamespacedName } from '../core/table/table-name.ts'
import type { HeldPolicy } from '../core/table/table-policy.ts'

/** The caller: nobody in particular, or whoever has signed in. */
export type Principal = AnonymousPrincipal | KnownPrincipal

export interface AnonymousPrincipal {
  readonly kind: 'anonymous'
}

export interface KnownPrincipal {
  readonly kind: 'key' | 'user'
  /** As in grants: `key:<id>` or `user:<issuer>~<sub>`. */
  readonly name: string
  /** The most that may be done, whatever is granted; `null`: all of it. */
  readonly scopes: readonly Privilege[] | null
  /** Groups and roles that a token names, as in grants: `group:<claim>` and `role:<name>`. */
  readonly memberOf?: readonly string[]
  /**
   * Whether somebody who knows the caller's credential has vouched for it: until then, the name may
   * be one of many that its sender invents. Absent: it was verified.
   */
  readonly isProven?: () => boolean
  /** Whether it was let in by its credential, though nobody could say what others are shown. */
  readonly isLetIn?: () => boolean
}

export const ANONYMOUS: Principal = { kind: 'anonymous' }

/** The name by which the principal has privileges. */
export function nameOfPrincipal(principal: Principal): string {
  return principal.kind === 'anonymous' ? principal.kind : principal.name
}

/** The same where callers are counted: `anonymous` as long as anybody may have made the name up. */
export function provenName(principal: Principal): string {
  const isMadeUp = principal.kind !== 'anonymous' && principal.isProven?.() === false
  return isMadeUp ? ANONYMOUS.kind : nameOfPrincipal(principal)
}

/** The same where it is told who read: by name also where others may have been let in, too. */
export function toldName(principal: Principal): string {
  const isLetIn = principal.kind !== 'anonymous' && principal.isLetIn?.() === true
  return isLetIn ? principal.name : provenName(principal)
}

/** Names of things, by kind. */
interface TargetNames {
  readonly catalog: undefined
  /** Levels of the namespace; none means all namespaces. */
  readonly namespace: readonly string[]
  /** A string is a dotted name or a UUID, as sent by the client. */
  readonly table: string | NamespacedName
  readonly view: string | NamespacedName
  /** The id of the transaction. */
  readonly transaction: string
  /** The name of the export task. */
  readonly export: string
}

export type Securable = keyof TargetNames
export type TargetName<On extends Securable> = TargetNames[On]

/** One thing that needs a privilege. */
export type Target = {
  readonly [On in Securable]: { readonly on: On; readonly name: TargetNames[On] } & Known<On>
}[Securable]

/** What the name of a namespace leads to, or that of the nearest one above it, if it is known. */
type Known<On> = On extends 'namespace' ? { readonly uuid?: string } : unknown

/**
 * `denied`: the principal may know that the thing exists, and may not do this. `hidden`: the thing
 * does not exist, as far as the principal may know. `unauthenticated`: signing in may help.
 * `restricted`: it would be allowed, but a policy on the table withholds rows or columns.
 */
export type Decision = 'allowed' | 'restricted' | 'denied' | 'hidden' | 'unauthenticated'

/** Decides who may do what. */
export interface Authorizer {
  /** Returns a promise only if something must be looked up; most calls are decided at once. */
  authorize(
    principal: Principal,
    privilege: Privilege,
    target: Target,
  ): Decision | Promise<Decision>
  /**
   * The namespace of that name, or else the nearest one above it, as it is now; absent: it makes no
   * difference which it is.
   */
  namespaceOf?(levels: readonly string[]): Promise<AskedNamespace | undefined>
  /** Whether the principal may change anything at all; absent: what it has the privilege for. */
  mayChange?(principal: Principal): boolean
  /** What lists show the principal; `undefined`: everything. */
  visibilityOf(principal: Principal): Visibility | undefined
  /** By whom rows are read that lists tell the principal of; `undefined`: all are. */
  readersOf(principal: Principal): Readers | undefined
  /** The policy on the table, if it holds for the principal. */
  policyOn(principal: Principal, tableUuid: string): HeldPolicy | undefined
  /** What a table or view is called whose UUID the target has, if that is known. */
  nameOf?(target: Target): string | undefined
  /** As `RequirePaths`. */
  requirePaths(
    principal: Principal,
    paths: readonly string[],
    ownLocation?: string,
  ): Promise<void> | undefined
}

export const ALLOWS_ALL: Authorizer = {
  authorize: () => 'allowed',
  visibilityOf: () => undefined,
  readersOf: () => undefined,
  requirePaths: () => undefined,
  policyOn: () => undefined,
}
