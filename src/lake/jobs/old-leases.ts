import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import { LEASE_RETENTION_MS } from '../../core/limits.ts'

interface Dependencies extends Stores<'leases'> {
  readonly ambient: Pick<Ambient, 'nowMs'>
}

/** Forgets the leases that ended long ago. Returns how many. */
export function forgetOldLeases({ catalog, ambient }: Dependencies): Promise<number> {
  return catalog.leases.forget(ambient.nowMs() - LEASE_RETENTION_MS)
}
