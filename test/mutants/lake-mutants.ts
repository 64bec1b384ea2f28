import type { MutantGroup } from './mutant.ts'

/** Bugs in the machine of tables. */
export const LAKE: readonly MutantGroup[] = [
  {
    file: 'src/lake/commit/commit-batch.ts',
    tests: ['test/lake/commit/unknown-commit.test.ts'],
    edits: [
      ['if (!isUnknownState(error)) {', 'if (true) {'],
      [`    if (stored?.state === 'committed') return { outcome: 'committed' }\n`, ''],
    ],
  },
  {
    file: 'src/lake/jobs/lease.ts',
    tests: ['test/lake/jobs/lease.test.ts'],
    edits: [
      [
        '    await this.#renew()\n    this.signal.throwIfAborted()\n  }',
        '    return Promise.resolve()\n  }',
      ],
      ['    await this.#renew()\n    this.signal', '    this.signal'],
      ['    await this.#renew()\n    this.signal.throwIfAborted()\n', '    await this.#renew()\n'],
      [
        'async confirm(): Promise<void> {\n    this.signal.throwIfAborted()\n',
        'async confirm() {\n',
      ],
      [
        '...this.#held, nowMs: ambient.nowMs(), durationMs: LEASE_MS',
        '...this.#held, nowMs: ambient.nowMs(), durationMs: 0',
      ],
      [`    this.#stop.abort(new CatalogError(`, `    void (new CatalogError(`],
    ],
  },
  {
    file: 'src/lake/commit/staging.ts',
    tests: ['test/lake/scan/plan-files.test.ts'],
    named: 'delete files of other writers',
    edits: [
      [`?.dataFile.content !== 'data'`, ' === undefined'],
      ['if (missing.length === 0) return', 'if (missing.length < paths.length) return'],
    ],
  },
  {
    file: 'src/lake/publish/publisher.ts',
    tests: ['test/lake/publish/publication.test.ts'],
    edits: [['      await objects.delete(metadataLocation)\n', '']],
  },
  {
    file: 'src/lake/commit/commit-queue.ts',
    tests: ['test/lake/commit/commit-queue.test.ts'],
    edits: [
      ['!change.truncate && change.removedPaths.length === 0', '!change.truncate'],
      ['!change.truncate && change', 'change'],
    ],
  },
]
