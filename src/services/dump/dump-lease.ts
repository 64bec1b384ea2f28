import type { HeldLease } from '../../catalog/lease-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { DumpDependencies } from './dump-dependencies.ts'

const DURATION_MS = 30_000
const RENEWAL_MS = 10_000
const POLL_MS = 200

/**
 * Does the work while no other process does work of this name; waits for its turn. When the lease is lost the work's
 * signal is aborted: what it wrote so far is safe to write twice.
 */
export async function withDumpLease<T>(
  deps: DumpDependencies,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { catalog, ambient } = deps
  const lease = await acquire(deps, name, signal)
  const lost = new AbortController()
  const renewal = setInterval(() => {
    const request = { ...lease, nowMs: ambient.nowMs(), durationMs: DURATION_MS }
    catalog.renewLease(request).then(
      (outcome) => {
        if (outcome === 'lost') lost.abort(takenOver())
      },
      (err) => deps.log.warn({ err, name }, 'a lease could not be renewed; trying again'),
    )
  }, RENEWAL_MS)
  try {
    return await work(AbortSignal.any([signal, lost.signal]))
  } finally {
    clearInterval(renewal)
    await catalog.releaseLease({ ...lease, nowMs: ambient.nowMs() }).catch(() => undefined)
  }
}

function takenOver(): CatalogError {
  return new CatalogError('overloaded', 'another process took the dump over: try again')
}

async function acquire(
  { catalog, ambient }: DumpDependencies,
  name: string,
  signal: AbortSignal,
): Promise<HeldLease> {
  const owner = ambient.newUuid()
  for (;;) {
    signal.throwIfAborted()
    const request = { name, owner, nowMs: ambient.nowMs(), durationMs: DURATION_MS }
    const outcome = await catalog.acquireLease(request)
    if (outcome.outcome === 'acquired') {
      return { name, owner, fencingToken: outcome.fencingToken }
    }
    await ambient.sleep(POLL_MS)
  }
}
