import type { TurnStore } from '../../src/catalog/turn-store.ts'
import { commitBatch } from '../../src/lake/commit/commit-batch.ts'
import type { CommitServices } from '../../src/lake/commit/commit-dependencies.ts'
import type { CommitBatch, CommitQueue } from '../../src/lake/commit/commit-queue.ts'
import type { ManifestCache } from '../../src/lake/scan/manifest-cache.ts'
import { composeLake, type LakePorts } from '../../src/service.ts'

/** A queue that commits with exactly these dependencies, caches and publisher included. */
export function queueOver(deps: CommitServices): CommitQueue {
  return queueOf((batch) => commitBatch(deps, batch), deps.ambient.sleep)
}

const noTurns: TurnStore = { take: async () => undefined, isTaken: async () => false }

/** A queue that gives its batches to `commit`, with no lake behind it. */
export function queueOf(commit: CommitBatch, sleep: (ms: number) => Promise<void>): CommitQueue {
  const ports = { ambient: { sleep }, catalog: { turns: noTurns } }
  return composeLake(ports as unknown as LakePorts, { commitBatch: commit }).commits
}

/** An empty cache of these objects. */
export function cacheOver(
  ports: Pick<LakePorts, 'objects' | 'meter'>,
  manifestCacheBytes: number,
): ManifestCache {
  return composeLake({ ambient: {}, ...ports } as LakePorts, { manifestCacheBytes }).manifests
}
