import type { MutantGroup } from './mutant.ts'

const TESTS = ['test/modules/audit/seals.test.ts', 'test/modules/audit/old-rows.test.ts']

/** Bugs by which a row could be changed unnoticed, be lost, or get into two seals. */
export const AUDIT: readonly MutantGroup[] = [
  {
    file: 'src/modules/audit/merkle-root.ts',
    tests: ['test/modules/audit/merkle-root.test.ts'],
    edits: [
      ["createHash('sha256').update(LEAF).update(entry)", "createHash('sha256').update(entry)"],
      ['.update(NODE).update(left)', '.update(left)'],
      ['isAlone ? left :', 'isAlone ? leafOf(left.toString()) :'],
    ],
  },
  {
    file: 'src/modules/audit/seal-document.ts',
    tests: TESTS,
    edits: [
      ['if (textOf(said, signature) !== text)', 'if (false)'],
      ['    verify(null, Buffer.from(JSON.stringify(said)), publicKey, signature)', '    true'],
    ],
  },
  {
    file: 'src/modules/audit/audit-sealer.ts',
    tests: TESTS,
    edits: [
      ['if (rows.length === 0 && prunedThrough === before && !isWitness) return false', ''],
      [' && !isWitness) return', ') return'],
      [' && !(await this.#isClockConfirmed())', ' && false'],
      ['found !== undefined && found.newestMs >= fromMs && found.newestMs < beforeMs', 'true'],
      ['if (await areDeletionsHeld({ catalog, ambient })) {', 'if (false) {'],
      ['await this.#takeOver(last, before)', 'readSeal(bytes)'],
      ['!isOurs || rows.length === SEALED_ROWS_MAX', 'false'],
      ['!isNext || !(isOwn || found.prunedThrough === prunedThrough)', '!isNext'],
      ['!isNext || !(isOwn', '!(isOwn'],
      ['next === undefined || next.newestMs >= beforeMs', 'next === undefined'],
      ['if (prunedThrough > 0n) await this.#audit.prune(prunedThrough)', ''],
    ],
  },
  {
    file: 'src/modules/audit/noted-request.ts',
    tests: ['test/modules/audit/audit-logs.test.ts'],
    edits: [['return [...read.values()].map(', 'return [...read.values()].slice(0, 1).map(']],
  },
  {
    file: 'src/modules/audit/rows-of-seal.ts',
    tests: TESTS,
    edits: [['seal, after, limit:', 'seal, after: 0n, limit:']],
  },
  {
    file: 'src/modules/audit/verify-audit.ts',
    tests: TESTS,
    edits: [
      ['if (highest >= this.#next) await this.#verifyTail(highest)', ''],
      ['    await this.#requireNoneBeyond()\n', ''],
      ['if (highest > next) throw', 'if (false) throw'],
      ['if (kept.seal !== next) throw', 'if (false) throw'],
      ['document.hash !== kept.hash || document', 'document'],
      [' || document.prunedThrough !== kept.prunedThrough) {', ') {'],
      [' && previous === (this.#last?.hash ?? null)', ''],
      ['if (this.#options.keys.has(fingerprint)) return', 'if (true) return'],
      [' || hashOf(row) !== row.hash) {\n        throw', ') {\n        throw'],
      ['next.value.hash !== row.hash || ', ''],
      ['if (seal <= this.#prunedThrough) return\n    // It', 'return\n    // It'],
      ['if (hash === last.hash) this', 'if (last.prunedThrough > 0n) this'],
      ['seal < 1n || seal > last', 'seal > last'],
      ['if (hashOf(row) !== row.hash) throw', 'if (false) throw'],
      ['expected?.seal === document.seal && expected.hash === document.hash', 'true'],
    ],
  },
  {
    file: 'src/catalog/sql/audit/sql-audit.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    edits: [
      ["      .where('seal', 'is', null)\n      .execute()", '      .execute()'],
      [' => sealed.get(row.position) === row.hash)', ' => sealed.has(row.position))'],
      ["where('seal', '<', 1n)", "where('seal', '<', 0n)"],
    ],
  },
]
