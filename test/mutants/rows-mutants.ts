import type { MutantGroup } from './mutant.ts'

const QUERY = ['test/modules/rows/query.test.ts']
const DIFF = ['test/modules/rows/diff.test.ts']
const LIMITS = ['test/modules/rows/limits.test.ts', 'test/modules/rows/query-turns.test.ts']
const STATISTICS = ['test/modules/rows/statistics.test.ts']
const MANIFESTS = ['test/modules/rows/manifest-statistics.test.ts']

/** Bugs by which rows, estimates, differences and statistics would tell what is not so. */
export const ROWS: readonly MutantGroup[] = [
  {
    file: 'src/modules/rows/estimate.ts',
    tests: QUERY,
    edits: [
      ['return Math.max(bytes, FILE_COST_BYTES)', 'return bytes'],
      ['? 0 : live - left', '? 0 : live'],
      ['if (ids.has(id)) bytes += Number(size)', 'bytes += Number(size)'],
      ['groupBy === undefined ? min : Math.min(min, 1)', 'min'],
      ['if (groupBy?.length === 0) return {', 'if (false) return {'],
      ['max: Math.min(max, limit) }', 'max }'],
    ],
  },
  {
    file: 'src/modules/rows/query-source.ts',
    tests: [...QUERY, 'test/modules/rows/rows.test.ts'],
    edits: [
      ['groupBy !== undefined || orderBy.length > 0', 'groupBy !== undefined'],
      ["if (typeof timeoutMs === 'number') {", 'if (false) {'],
    ],
  },
  {
    file: 'src/modules/rows/read-rows.ts',
    tests: ['test/modules/rows/rows.test.ts'],
    edits: [
      ['if (position !== undefined && position.digest !== digest) {', 'if (false) {'],
      ['{ snapshotIdentifier: position.snapshotId }', '{}'],
      ['canonicalQuery(query), ', ''],
    ],
  },
  {
    file: 'src/modules/rows/run-query.ts',
    tests: [...QUERY, 'test/modules/rows/sql.test.ts'],
    edits: [
      ["  await authorize('select', [{ on: 'table', name: asked.table }])\n", ''],
      ["    references.map(({ table }) => ({ on: 'table', name: table })),", '    [],'],
      ['return { asAtMs: parseAsAt(timestamp) }', 'return {}'],
      ["descending: direction === 'desc'", 'descending: false'],
      ["nullsFirst: nulls === 'first'", 'nullsFirst: false'],
      ['if (made.hasMore) throw', 'if (false) throw'],
      ['if (isLate || (!isSmall && isInlineRequired && isKnown)) {', 'if (isLate) {'],
      ["|| !tables.every(isWhole) ? 'inline' : 'dataset'", "|| true ? 'inline' : 'dataset'"],
    ],
  },
  {
    file: 'src/modules/rows/limits/query-limits.ts',
    tests: LIMITS,
    edits: [
      ["? `address:${callerAddress(request.clientAddress ?? '')}`", "? 'address'"],
      ['(left > 0 && costBytes <= left)', 'costBytes <= left'],
      ['known?.day === today', 'known !== undefined'],
      ['if (takenBy(asker) >= this.#placesMax) throw', 'if (false) throw'],
      ['const others = takenBy(asker) - asker.jobs', 'const others = 1'],
      ['takenBy(asker) - asker.jobs', 'takenBy(asker)'],
      ['    if (asker.reserved.has(key)) return\n', ''],
      ['reserved?.isOf(asker.day) ? reserved :', ''],
      ['reserved?.isOf(asker.day) ?', 'reserved ?'],
      ['if (await isOpen()) continue', 'if (true) continue'],
      ['await asker.preparing.enter(call.closed)', 'await asker.queries.enter(call.closed)'],
    ],
  },
  {
    file: 'src/modules/rows/limits/query-line.ts',
    tests: LIMITS,
    edits: [
      ['this.#waiting.splice(this.#waiting.indexOf(waiting), 1)', ''],
      ['return this.#running - this.#kept.size + waiting', 'return this.#running'],
      ["filter(({ kind }) => kind === 'query')", 'filter(() => true)'],
      ["else this.#waiting.push({ kind: 'job', key, seenAtMs })", ''],
      ["else this.#waiting.push({ kind: 'job'", "else this.#waiting.unshift({ kind: 'job'"],
      ["each.kind === 'job' && each.key === key", "each.kind === 'job'"],
      ['if (next === undefined) this.#running--\n', 'if (next === undefined) return\n'],
      ['      this.#kept.delete(key)\n      this.leave()', '      this.leave()'],
    ],
  },
  {
    file: 'src/core/access/caller-address.ts',
    tests: LIMITS,
    edits: [
      ["if (!address.includes(':')) return address\n", ''],
      ['if (mapped !== undefined) return mapped\n', ''],
      ['.toLowerCase()', ''],
      ["split('%')", "split('$')"],
      ['GROUPS - head.length - tail.length - dotted', 'GROUPS - head.length - tail.length'],
      ['after === undefined ? 0 : GROUPS', 'GROUPS'],
    ],
  },
  {
    file: 'src/modules/rows/limits/query-charge.ts',
    tests: LIMITS,
    edits: [
      ['this.#isKnown = false', 'this.#readBytes += 0'],
      ['    this.#isSettled = true\n', ''],
      ['    if (this.#account.day !== this.#day) return\n', ''],
      ['read - this.#estimateBytes', 'read'],
    ],
  },
  {
    file: 'src/modules/datasets/make-in-turn.ts',
    tests: LIMITS,
    edits: [
      ['.filter(({ input }) => inputOf(input).asker === asker)', ''],
      ['(await listOpen(jobs))', '[]'],
    ],
  },
  {
    file: 'src/modules/rows/snapshot-diff.ts',
    tests: DIFF,
    edits: [
      ['MOMENT.test(text) && state.refs[text] === undefined', 'MOMENT.test(text)'],
      ['order === 0 && deletesKey(old) === deletesKey(made)', 'order === 0'],
      [
        'before === undefined || rows === undefined ? undefined : before + rows',
        'Number(before) + Number(rows)',
      ],
      ["  if (side === 'added') {", '  if (true) {'],
      ['    removed: names(from, to),', '    removed: [],'],
      ['.filter(({ before, field }) => before.name !== field.name)', '.filter(() => false)'],
      ['.filter(({ from: old, to: current }) => old !== current)', ''],
      ['(SELECT * FROM a EXCEPT ALL SELECT * FROM b)', '(SELECT * FROM a EXCEPT SELECT * FROM b)'],
      [
        'if (removed.length === 0) return { sql: `${ADDED}b`, sides: [added] }',
        'if (removed.length === 0) return { sql: `${REMOVED}b`, sides: [added] }',
      ],
      ['sides: [removed, added] }', 'sides: [added, removed] }'],
      ['`${REMOVED}a`, sides: [removed]', '`${ADDED}a`, sides: [removed]'],
    ],
  },
  {
    file: 'src/modules/rows/rows-response.ts',
    tests: DIFF,
    edits: [['rowsBytes > 0 ? 1 : 0', '0']],
  },
  {
    file: 'src/modules/rows/rows-response.ts',
    tests: DIFF,
    edits: [
      ['this.#isBetween ? [Uint8Array.of(COMMA)] : []', '[]'],
      ['this.#isBetween = lines.at(-1) === NEWLINE', 'this.#isBetween = false'],
    ],
  },
  {
    file: 'src/modules/rows/rows-stream.ts',
    tests: ['test/modules/rows/row-streams.test.ts'],
    edits: [
      ['      void file?.close()\n', ''],
      [' || ofCaller >= ofCallerMax', ''],
      ['alike.length >= inAllMax || ', ''],
      ['      leave()\n      throw error\n    } finally', '      throw error\n    } finally'],
      ["if (kind === 'stream' && bytes > fileBytes)", 'if (false)'],
      ['if (all <= bytesMax)', 'if (true)'],
      ['      onWrite(file.sizeBytes)\n', ''],
      ['    this.#taken.add(taken)\n', ''],
    ],
  },
  {
    file: 'src/core/shared-work.ts',
    tests: ['test/core/shared-work.test.ts'],
    edits: [
      ["this.#waiting === 0 && this.#state === 'running'", "this.#state === 'running'"],
      ["this.#state === 'failed' || this.#stop.signal.aborted", "this.#state === 'failed'"],
      ["this.#state === 'failed' || this.#stop.signal.aborted", 'this.#stop.signal.aborted'],
    ],
  },
  {
    file: 'src/core/query/inline-max.ts',
    tests: ['test/core/query/inline-max.test.ts'],
    edits: [
      ['read(each, member) ?? Infinity', 'Infinity'],
      ['value <= INLINE_BOUNDS[member]', 'value < INLINE_BOUNDS[member]'],
      ['value >= 1 && ', ''],
      ['Math.min(service[member]', 'Math.max(service[member]'],
      ['Math.min(service[member], ...', 'Math.min(...'],
    ],
  },
  {
    file: 'src/modules/rows/column-statistics.ts',
    tests: STATISTICS,
    edits: [
      ['[...readingOf(source), fieldId, restrictionText(source)]', 'readingOf(source)'],
      ['distinct > TOP_VALUES', 'true'],
      ['distinct > 0 && distinct <= DISTINCT_MAX && !isNested(type)', '!isNested(type)'],
      ['` FILTER (WHERE NOT isnan(${value}))`', "''"],
      ['WHERE ${known} ', ''],
      ['CASE WHEN hi = lo THEN 0 ELSE ', 'CASE WHEN FALSE THEN 0 ELSE '],
      ['least(${BINS - 1}, ', 'least(${BINS}, '],
      ['(SELECT n FROM v WHERE isfinite(n))', '(SELECT n FROM v)'],
    ],
  },
  {
    file: 'src/lake/scan/column-facts.ts',
    tests: MANIFESTS,
    edits: [
      ['if (liveRecords !== rows) return NOTHING', ''],
      ['found?.names.length === 1 && ', ''],
      ['found.names[0] === name', 'true'],
      ['return !hasDefault && ', 'return '],
      ['!isSaidByPartition && ', ''],
      ["|| (then.kind === 'int' && now.kind === 'long')", ''],
    ],
  },
  {
    file: 'src/core/file/column-metrics-sum.ts',
    tests: ['test/core/file/column-metrics-sum.test.ts'],
    edits: [
      ['if (file.valueCount(fieldId) !== file.recordCount) return undefined\n', ''],
      [' && nulls <= file.recordCount ?', ' ?'],
      ['|| compareValues(type, least, greatest) > 0', ''],
      ['if (file.recordCount === 0 || this.#nulls', 'if (this.#nulls'],
      ['long: [4, 8]', 'long: [8]'],
    ],
  },
]
