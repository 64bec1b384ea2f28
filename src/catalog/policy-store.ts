import type { TablePolicy } from '../core/table/table-policy.ts'
import type { RequiredRoles } from './grant-store.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * Policies on the rows of tables, by UUID: they follow a renaming, pass to what replaces a table,
 * and outlive a drop until the table can no longer come back. Changes raise
 * `moraine.permissions.changed.v1`. Its contract: test/catalog/policies.contract.ts.
 */
export interface PolicyStore {
  listAll(): Promise<readonly KeptPolicy[]>
  /** Tables without a policy are left out; dropped ones are not. */
  listOn(tableUuids: readonly string[]): Promise<readonly KeptPolicy[]>
  /**
   * Replaces the policy of the table; `undefined` takes it away. `role-gone` when one of `roles` is
   * not there.
   */
  change(
    change: PolicyChange & RequiredRoles,
    options?: MutationOptions,
  ): Promise<'changed' | 'not-found' | 'role-gone'>
  /** Gives a table that may not be there yet a policy, unless it has one. */
  bringBack(policy: KeptPolicy): Promise<'brought-back' | 'already-there'>
  /**
   * Notes which policies are on tables that are gone, and forgets those noted before `beforeMs`,
   * each with an event. Returns how many it forgot.
   */
  forgetOrphans(query: { readonly nowMs: number; readonly beforeMs: number }): Promise<number>
}

export interface KeptPolicy {
  readonly tableUuid: string
  readonly policy: TablePolicy
}

export interface PolicyChange {
  readonly tableUuid: string
  /** How events name the table. */
  readonly name: string
  readonly policy: TablePolicy | undefined
}
