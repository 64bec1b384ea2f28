import { counter, gauge } from '../../http/metrics.ts'
import type { Meter } from '../../lake/lake.ts'

/** Metrics of commits, publications and the manifest cache. */
export class LakeMetrics implements Meter {
  readonly #commits = counter('moraine_commits_total', 'Transactions committed.')
  readonly #refusals = counter(
    'moraine_commit_refusals_total',
    'Commits refused, by problem code.',
    ['code'],
  )
  readonly #retries = counter(
    'moraine_commit_retries_total',
    'Commits retried because another process committed first.',
  )
  readonly #stagedFiles = counter('moraine_staged_files_total', 'Data files staged.')
  readonly #publications = counter('moraine_publications_total', 'Table metadata files written.')
  readonly #cacheHits = counter(
    'moraine_manifest_cache_hits_total',
    'Manifests and manifest lists found in the cache.',
  )
  readonly #cacheMisses = counter(
    'moraine_manifest_cache_misses_total',
    'Manifests and manifest lists read from storage.',
  )
  readonly #cacheBytes = gauge(
    'moraine_manifest_cache_bytes',
    'Bytes of decoded manifests in the cache.',
  )

  readonly meters = [
    this.#commits,
    this.#refusals,
    this.#retries,
    this.#stagedFiles,
    this.#publications,
    this.#cacheHits,
    this.#cacheMisses,
    this.#cacheBytes,
  ]

  committed(transactions: number): void {
    this.#commits.inc(transactions)
  }

  commitRefused(code: string): void {
    this.#refusals.inc({ code })
  }

  commitRetried(): void {
    this.#retries.inc()
  }

  filesStaged(files: number): void {
    this.#stagedFiles.inc(files)
  }

  published(): void {
    this.#publications.inc()
  }

  manifestCacheHit(): void {
    this.#cacheHits.inc()
  }

  manifestCacheMiss(): void {
    this.#cacheMisses.inc()
  }

  manifestCacheBytes(bytes: number): void {
    this.#cacheBytes.set(bytes)
  }
}
