import type { NamespacedName } from '../core/table/table-name.ts'

/** The caller. There is no authentication yet, so every caller is anonymous. */
export interface Principal {
  readonly kind: 'anonymous'
}

export const ANONYMOUS: Principal = { kind: 'anonymous' }

/**
 * Permitted actions, from less to more: `describe` shows that a thing exists and its name, `select`
 * its definition and rows, `modify` changes rows and definition, `own` drops and renames. `create`
 * is needed on the namespace of a new thing.
 */
export type Privilege =
  | 'describe'
  | 'select'
  | 'modify'
  | 'own'
  | 'create'
  | 'manage_grants'
  | 'admin'

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
}

export type Securable = keyof TargetNames
export type TargetName<On extends Securable> = TargetNames[On]

/** One thing that needs a privilege. */
export type Target = {
  readonly [On in Securable]: { readonly on: On; readonly name: TargetNames[On] }
}[Securable]

export type Decision = 'allowed' | 'denied'

/** Decides who may do what. */
export interface Authorizer {
  /** Returns a promise only if something must be looked up; most calls are decided at once. */
  authorize(
    principal: Principal,
    privilege: Privilege,
    target: Target,
  ): Decision | Promise<Decision>
}

export const ALLOWS_ALL: Authorizer = { authorize: () => 'allowed' }
