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
    file: 'src/lake/jobs/lasting.ts',
    tests: ['test/lake/jobs/jobs.test.ts'],
    named: 'where a store is away',
    edits: [
      [`'storage-unavailable', 'warehouse`, `'warehouse`],
      ['  if (error instanceof LastingError) return true\n', ''],
      ['!isLasting(error) || error instanceof LastingError', '!isLasting(error)'],
      ['    await requireEveryPlace?.()\n', ''],
    ],
  },
  {
    file: 'src/lake/jobs/job-runner.ts',
    tests: ['test/lake/jobs/jobs.test.ts'],
    named: 'where a store is away',
    edits: [['isAway(error) ? AWAY_BACKOFF_MS : BACKOFF_MS', 'BACKOFF_MS']],
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
  {
    file: 'src/lake/scan/delete-file-index.ts',
    tests: ['test/lake/scan/delete-file-index.test.ts', 'test/lake/scan/plan-files.test.ts'],
    named: 'delete files of other writers|data files|list|keeps|delete',
    edits: [
      ['entry.sequenceNumber > sequenceNumber', 'entry.sequenceNumber >= sequenceNumber'],
      [': entry.sequenceNumber >= sequenceNumber', ': entry.sequenceNumber > sequenceNumber'],
      ['[...applicable(own, sequenceNumber), ...shared]', 'applicable(own, sequenceNumber)'],
      [', ...this.#global], sequenceNumber', '], sequenceNumber'],
      [`file.content !== 'deletes' || `, ''],
      ['&& unpartitionedSpecIds.has(file.specId)', ''],
      ['const key = `${sequenceNumber} ${partition}`', 'const key = partition'],
    ],
  },
  {
    file: 'src/core/partition/partition-key.ts',
    tests: ['test/core/partition/partition-key.test.ts'],
    edits: [
      ['`boolean:${value}`', 'String(value)'],
      ['[specId, ...values]', 'values'],
      ["Object.is(value, -0) ? '-0' : value", 'value'],
      ['`number:${', '`${typeof value}:${'],
      ['return `text:${UTF_8.decode(bytes)}`', 'return `bytes:${hexText(bytes)}`'],
      [', ignoreBOM: true', ''],
    ],
  },
  {
    file: 'src/lake/scan/live-rows.ts',
    tests: ['test/lake/scan/live-rows.test.ts'],
    edits: [
      ['if (only === undefined) return undefined\n', 'if (only === undefined) continue\n'],
      ['if (only === dataFile.path) own', 'own'],
      ['if (own.length > 1) return undefined\n', ''],
      ['live < 0 ? undefined : live', 'live'],
      [`|| file.content === 'equality-deletes'`, ''],
      ['!hasVector || isVector(file)', 'true || isVector(file)'],
      ['compareBytes(lower, upper) === 0 ? UTF_8.decode(lower) : undefined', 'UTF_8.decode(lower)'],
      [
        'if (lower === undefined || upper === undefined) continue',
        'if (lower === undefined) continue',
      ],
      [`if (content !== 'position-deletes') return undefined\n`, ''],
      [', 2_147_483_646]', ']'],
    ],
  },
  {
    file: 'src/lake/snapshot/plan-merges.ts',
    tests: ['test/lake/snapshot/plan-merges.test.ts'],
    named: '^(?!whatever the sizes)',
    edits: [
      ['tier.length >= MANIFEST_MERGE_FANOUT', 'tier.length > MANIFEST_MERGE_FANOUT'],
      ['`${manifest.content}/${manifest.specId}/${tier}`', '`${manifest.specId}/${tier}`'],
      ['`${manifest.content}/${manifest.specId}/${tier}`', '`${manifest.content}/${tier}`'],
      ['if (entries > room || recoded > budget) {', 'if (recoded > budget) {'],
      ['if (entries > room || recoded > budget) {', 'if (entries > room) {'],
      ['    if (recoded > budget) return false\n', ''],
      ['    .filter(isWorthIt)\n', ''],
      ['sum(sizes) >= GROWTH_MIN * Math.max(...sizes)', 'sum(sizes) >= Math.max(...sizes)'],
      ['    if (recodedCount(manifest) > RECODED_ENTRIES_MAX) continue\n', ''],
      ['tier.toSorted((a, b) => liveFilesCount(a) - liveFilesCount(b))', 'tier'],
    ],
  },
  {
    file: 'src/lake/file/known-footers.ts',
    tests: ['test/modules/files/replaced-files.test.ts'],
    edits: [
      ['    if (known === undefined) return file\n', '    return file\n'],
      ['.slice(first, first + FILES_TOGETHER)', '.slice(first + 1, first + FILES_TOGETHER)'],
    ],
  },
  {
    file: 'src/lake/snapshot/snapshot-change.ts',
    tests: ['test/modules/files/replaced-files.test.ts'],
    edits: [['footerSha256.startsWith(known)', 'true']],
  },
  {
    file: 'src/lake/snapshot/snapshot-change.ts',
    tests: ['test/lake/snapshot/snapshot-change.test.ts'],
    edits: [
      ['.filter((manifest) => liveFilesCount(manifest) > 0)', ''],
      ['!removal.truncate && removal.removedKeys.size === 0', 'removal.removedKeys.size === 0'],
      ['isMeant && !isSame', 'isMeant && again === undefined'],
      ['isSameFile(entry.dataFile, again) &&', 'false &&'],
      ['      if (isMeant) context.stays.add(key)\n', ''],
      ['left.recordCount === right.recordCount &&', ''],
      ['left.fileSizeBytes === right.fileSizeBytes &&', ''],
      ['left.specId === right.specId &&', ''],
      ['METRICS.every(', 'METRICS.some('],
      [`status: 'deleted', snapshotId: null`, `status: 'deleted'`],
      ['if (removedHere.length === 0) kept.push(source)\n    else rewritten', 'rewritten'],
    ],
  },
  {
    file: 'src/lake/snapshot/snapshot-summary.ts',
    tests: ['test/lake/snapshot/snapshot-summary.test.ts'],
    edits: [
      ['+ added[name] - removed[name]', '+ added[name]'],
      [`if (file.content === 'position-deletes') totals`, `if (file.content !== 'data') totals`],
      ['if (value > 0) summary', 'summary'],
      ['Number.NaN)', '0)'],
      ['if (Object.values(totals).every(Number.isSafeInteger)) return totals\n', 'return totals\n'],
      ['[...change.added, ...change.removed].map', 'change.added.map'],
      [`    totals['total-records'] += file.recordCount\n`, `    totals['total-records'] += 1\n`],
    ],
  },
  {
    file: 'src/lake/commit/commit-validation.ts',
    tests: [
      'test/lake/commit/commit-validation.test.ts',
      'test/modules/iceberg-rest/http/columns-of-removed-schemas.test.ts',
    ],
    edits: [
      ['change.truncate || change.removedPaths.length > 0', 'change.truncate'],
      ['change.truncate || change.removedPaths.length > 0', 'change.removedPaths.length > 0'],
      [`transaction.isolation === 'overwrite' || `, ''],
      [' || currentSnapshotId === change.baseSnapshotId', ''],
      ['readAs?.columns === columns &&', 'readAs !== undefined &&'],
      [' &&\n    readAs.spec === spec', ''],
      ['!file.hasFieldIds', 'file.hasFieldIds'],
    ],
  },
]
