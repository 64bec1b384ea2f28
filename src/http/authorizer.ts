import type { NamespacedName } from '../core/table/table-name.ts'

/** Who asks. There is no authentication yet: everybody is anonymous. */
export interface Principal {
  readonly kind: 'anonymous'
}

export const ANONYMOUS: Principal = { kind: 'anonymous' }

/**
 * What one may be allowed to do, from less to more: `describe` shows that a thing is there and what
 * it is called, `select` its definition and rows, `modify` changes rows and definition, `own` drops
 * and renames. `create` is needed of the namespace of what is to be made.
 */
export type Privilege =
  | 'describe'
  | 'select'
  | 'modify'
  | 'own'
  | 'create'
  | 'manage_grants'
  | 'admin'

/** How each kind of thing is named. */
interface TargetNames {
  readonly catalog: undefined
  /** Level by level; no level stands for all namespaces. */
  readonly namespace: readonly string[]
  /** A text is a dotted name or a UUID, as it was sent. */
  readonly table: string | NamespacedName
  readonly view: string | NamespacedName
  /** Its id. */
  readonly transaction: string
}

export type Securable = keyof TargetNames
export type TargetName<On extends Securable> = TargetNames[On]

/** One thing that a privilege is asked for. */
export type Target = {
  readonly [On in Securable]: { readonly on: On; readonly name: TargetNames[On] }
}[Securable]

export type Decision = 'allowed' | 'denied'

/** Says who may do what. */
export interface Authorizer {
  /** A promise only where something has to be looked up: most calls are decided at once. */
  authorize(
    principal: Principal,
    privilege: Privilege,
    target: Target,
  ): Decision | Promise<Decision>
}

export const ALLOWS_ALL: Authorizer = { authorize: () => 'allowed' }
