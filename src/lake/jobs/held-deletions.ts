import { Lease, type LeaseDependencies } from './lease.ts'

const LEASE_NAME = 'deletions held'

/**
 * Whether somebody, such as a backup, needs every file that the catalog names to stay. Asked AFTER
 * a file became unnamed in a transaction of its own and BEFORE it is deleted: whoever holds
 * deletions first takes the lease, then copies the catalog. So who sees no lease deletes nothing
 * that a copy made later names. `true` means: leave the file for the next round.
 */
export function areDeletionsHeld({
  catalog,
  ambient,
}: Pick<LeaseDependencies, 'catalog'> & {
  readonly ambient: Pick<LeaseDependencies['ambient'], 'nowMs'>
}): Promise<boolean> {
  return catalog.leases.isHeld({ name: LEASE_NAME, nowMs: ambient.nowMs() })
}

/**
 * Holds the deletions of all processes until the lease is released. `undefined` when somebody else
 * holds them. At the end, `hasLapsed` says whether something may have been deleted all the same.
 */
export function holdDeletions(
  deps: LeaseDependencies,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  return Lease.tryAcquire(deps, { name: LEASE_NAME, signal })
}
