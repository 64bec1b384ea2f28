import type { CatalogEvent, EventType } from '../../catalog/event-store.ts'

/** What a module does about events of others, away from the path of the commit that raised them. */
export interface Consumer {
  /** Unique among all modules; names the cursor, so it is never changed. */
  readonly name: string
  readonly events: readonly EventType[]
  /**
   * `cluster`: each event at least once, by one replica at a time, from a cursor that outlives all
   * of them. `replica`: each replica sees what happens from its start on; for caches, which only
   * evict.
   */
  readonly scope: 'cluster' | 'replica'
  /**
   * Resolves when all of the batch is done for good; the cursor moves then. The same events come
   * again after a failure, or when another replica takes over, so it must be safe to do twice.
   * `signal` ends when the lease is lost or the service stops.
   */
  handle(batch: readonly CatalogEvent[], signal: AbortSignal): Promise<void>
}
