import type { MutantGroup } from './mutant.ts'

const TESTS = ['test/modules/exports/exports.test.ts']

const GRANTS = ['test/modules/exports/export-grants.test.ts']

/** Bugs by which nobody would be told that an export fails, or somebody else would run it. */
const TOLD_AND_GRANTED: readonly MutantGroup[] = [
  {
    file: 'src/catalog/sql/sql-events.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'events',
    edits: [
      ['if (isFirst) raised.raise(', 'raised.raise('],
      ['      return isFirst\n', '      return true\n'],
    ],
  },
  {
    file: 'src/catalog/sql/access/sql-grants.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'grants',
    edits: [[`    .where('securable', 'not like', exportSecurable('%'))\n`, '']],
  },
  {
    file: 'src/modules/exports/export-health.ts',
    tests: ['test/modules/exports/export-pause.test.ts'],
    edits: [
      ['const isHeld = task === undefined || isPaused', 'const isHeld = task === undefined'],
      ['nowMs - dueMs < OVERDUE_MS', 'nowMs - dueMs < 0'],
      ['folder.look(name, (read) => sourceOf(deps, read))', 'folder.look(name, () => undefined)'],
      [`\${runId === null ? 'unusable' : 'failing'} \${task}`, 'unusable'],
    ],
  },
  {
    file: 'src/modules/exports/http/export-permission.ts',
    tests: GRANTS,
    edits: [
      [`(await may('export', { on: 'export', name })) ? [name] : []`, '[name]'],
      ['withNames(error, await permittedTasks(tasks, call))', 'error'],
    ],
  },
  {
    file: 'src/modules/exports/http/asked-export.ts',
    tests: ['test/modules/exports/export-pause.test.ts', ...GRANTS],
    edits: [
      ['requireRunnable(service, await service.folder.read(task))', 'service.folder.read(task)'],
      [`  await noteAsked(service, call, { task, asked_for: 'run' })\n`, ''],
      [`'moraine.export.asked.v1' }, origin)`, `'moraine.export.asked.v1' }, {})`],
    ],
  },
  {
    file: 'src/modules/audit/noted-request.ts',
    tests: ['test/modules/exports/own-tables.test.ts'],
    named: 'audit',
    edits: [[`  if (route?.showsRows === true) return allowed.slice(-1)\n`, '']],
  },
  {
    file: 'src/modules/exports/export-schedule.ts',
    tests: ['test/modules/exports/export-pause.test.ts'],
    edits: [
      ['if (told.get(name) !== problem) warn', 'if (!told.has(name)) warn'],
      ['if (told.get(name) !== problem) warn', 'warn'],
      ['      told = failed\n', ''],
      ['  await requireRunnable(deps, task)\n', ''],
    ],
  },
  {
    file: 'src/modules/exports/file-name.ts',
    tests: ['test/modules/exports/export-files.test.ts'],
    edits: [
      [`half === 'P' ? 12 : 0`, '0'],
      ['Number(hour) % 12', 'Number(hour)'],
      [`const number = part.padStart(10, '0')`, 'const number = part'],
      ['partOrder: `${number} ${file}`', 'partOrder: file'],
    ],
  },
  {
    file: 'src/modules/exports/export-receipts.ts',
    tests: ['test/modules/exports/export-files.test.ts'],
    edits: [
      ['named.length && found.length < limit', 'named.length'],
      [
        'if (found.length > 0 || after !== undefined) return found',
        'if (found.length > 0) return found',
      ],
      [
        'named.filter(({ run }) => run === undefined).reverse()',
        'named.filter(() => true).reverse()',
      ],
    ],
  },
  {
    file: 'src/modules/exports/http/run-history-routes.ts',
    tests: GRANTS,
    edits: [
      ['isAdmin ? undefined : asker', 'undefined'],
      ['[own, SCHEDULE]', '[own]'],
    ],
  },
  {
    file: 'src/modules/exports/http/export-permission.ts',
    tests: GRANTS,
    edits: [[`  await call.authorize('export', targets)\n`, '']],
  },
  {
    file: 'src/modules/exports/http/export-routes.ts',
    tests: ['test/modules/exports/export-pause.test.ts'],
    edits: [['for (const task of tasks) await service.folder.require(task)\n', '']],
  },
  {
    file: 'src/modules/events/job-routes.ts',
    tests: GRANTS,
    edits: [
      ['...(!isTold && { exceptKinds: kindsOfAskers(platform) }),', ''],
      ['  if (isHidden) throw jobNotFound(job.jobId)\n', ''],
      [
        'asker !== undefined && (await may(privilege, target)) ? asker',
        'asker !== undefined ? asker',
      ],
      ['      await ofAskers?.noteCancel(job, call.origin)\n', ''],
      [
        `const privilege = ofAskers === undefined ? 'modify' : 'admin'`,
        `const privilege = 'modify'`,
      ],
    ],
  },
]

/** Bugs by which an export would lose rows, double them, or tell a wrong number. */
export const EXPORTS: readonly MutantGroup[] = [
  {
    file: 'src/sources/postgres/postgres-source.ts',
    tests: TESTS,
    edits: [
      ["isPartition ? 'read committed' : 'repeatable read'", "'read committed'"],
      ["status === 'committed' && isNumberOurs ? 'committed' : 'unknown'", "'unknown'"],
    ],
  },
  {
    file: 'src/sources/postgres/postgres-transaction.ts',
    tests: TESTS,
    edits: [
      ['if (counts.deleted !== copied && ', 'if (false && '],
      ['    await this.#requireOne(statement)\n', ''],
      [`if (command !== 'DELETE') {`, 'if (false) {'],
      ['    if (this.mark.isWritten) {\n', '    if (false) {\n'],
    ],
  },
  {
    file: 'src/sources/postgres/chosen-keys.ts',
    tests: ['test/modules/exports/export-modes.test.ts'],
    edits: [
      ['if (different.rows.length > 0) {', 'if (false) {'],
      [`if (Number(chosen) === rowCount && left === '0') return rowCount`, 'return rowCount ?? 0'],
    ],
  },
  {
    file: 'src/sources/postgres/detached-partition.ts',
    tests: ['test/modules/exports/export-modes.test.ts'],
    edits: [['  if (left !== undefined) return left\n', '']],
  },
  {
    file: 'src/sources/postgres/deletion-plan.ts',
    tests: ['test/modules/exports/whole-deletions.test.ts'],
    edits: [
      ['if (other !== undefined) {', 'if (false) {'],
      ['  await requireAlone(client, table)\n', ''],
      [' union select inhrelid from tree join pg_inherits on inhparent = oid', ''],
      ["and relkind not in ('r', 'p')", 'and false'],
      ["if (kind === 'r' || kind === 'p') return table", 'return table'],
    ],
  },
  {
    file: 'src/sources/postgres/detached-partition.ts',
    tests: ['test/modules/exports/export-modes.test.ts'],
    named: 'attached again',
    edits: [[' and not c.relispartition', '']],
  },
  {
    file: 'src/sources/postgres/postgres-source.ts',
    tests: ['test/modules/exports/run-outcomes.test.ts'],
    named: 'without a row',
    edits: [
      [' && isNumberOurs', ''],
      ['return mark.countsSince === now.countsSince', 'return true'],
      ['Number(now.countsSince) < Number(now.startedAt)', 'true'],
    ],
  },
  {
    file: 'src/modules/exports/run-job.ts',
    tests: ['test/modules/exports/repeated-attempts.test.ts'],
    edits: [['noted ?? (await findEnded(deps, input.task, { run, before }))', 'noted']],
  },
  {
    file: 'src/modules/exports/run-job.ts',
    tests: ['test/modules/exports/outside-runs.test.ts'],
    named: 'is tried again while the folder is away',
    edits: [['if (isAway(cause)) return new LastingError', 'if (false) return new LastingError']],
  },
  {
    file: 'src/modules/exports/export-run.ts',
    tests: ['test/modules/exports/repeated-attempts.test.ts'],
    named: 'withdrawn',
    edits: [['const { stopped: signal } = run.fence', 'const { signal } = run']],
  },
  {
    file: 'src/sources/postgres/key-proof.ts',
    tests: TESTS,
    edits: [['copied.first === deleted.first && copied.second === deleted.second', 'true']],
  },
  {
    file: 'src/modules/exports/settle-run.ts',
    tests: TESTS,
    edits: [
      [`if (outcome === 'committed') return`, `if (outcome === 'never') return`],
      [`  return outcome === 'committed'\n`, '  return false\n'],
    ],
  },
  {
    file: 'src/modules/exports/table-source.ts',
    tests: ['test/modules/exports/own-tables.test.ts'],
    edits: [[`if (tableUuid !== undefined && (await isIn`, `if (false && (await isIn`]],
  },
  {
    file: 'src/sources/postgres/postgres-source.ts',
    tests: ['test/modules/exports/source-settings.test.ts'],
    edits: [
      ['if (isPartition) await asked(', 'if (false) await asked('],
      [`    "where current_setting('synchronous_commit') = 'off'",`, '    "where false",'],
      ["  'set local extra_float_digits = 3',\n", ''],
    ],
  },
  {
    file: 'src/modules/exports/export-schedule.ts',
    tests: ['test/modules/exports/export-schedule-replicas.test.ts'],
    edits: [
      ['Math.min(changedAtMs, nowMs)', 'nowMs'],
      [' && !isAhead(ticks, noted, nowMs)', ''],
      ['if (noted !== undefined) await catalog.schedules.forget(name)', ''],
      [
        'const isOfClockAhead = (newest?.createdAtMs ?? 0) >=',
        'const isOfClockAhead = Number.NaN >=',
      ],
    ],
  },
  {
    file: 'src/modules/exports/export-schedule.ts',
    tests: ['test/modules/exports/export-schedule.test.ts'],
    edits: [
      ['noted?.digest === digest && ', 'noted !== undefined && '],
      [' && nextAtMs !== ticks.next(latestMs)', ''],
      ['if (nextAtMs > nowMs) return nextAtMs\n', ''],
    ],
  },
  {
    file: 'src/catalog/sql/jobs/sql-schedules.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'schedules',
    edits: [
      ['if (!submitted.isNew) await move(', 'if (false) await move('],
      [`    .where('next_at_ms', '=', instant(from))\n`, ''],
      [`              .where('digest', '=', before.digest)\n`, ''],
    ],
  },
  {
    file: 'src/modules/operations/backup.ts',
    tests: ['test/modules/operations/copies.test.ts'],
    edits: [
      ['round === ROUNDS_MAX || ', 'round > 0 || '],
      ['if (!isOfTable || modifiedAtMs', 'if (modifiedAtMs'],
    ],
  },
  {
    file: 'src/sources/postgres/postgres-source.ts',
    tests: ['test/modules/exports/restored-runs.test.ts'],
    edits: [['mark.isWritten && !mayBeForgotten', 'mark.isWritten']],
  },
  {
    file: 'src/modules/exports/run-job.ts',
    tests: ['test/modules/exports/restored-runs.test.ts'],
    edits: [['if (restored !== undefined) throw', 'if (location.length === 0) throw']],
  },
  {
    file: 'src/modules/exports/export-run.ts',
    tests: TESTS,
    edits: [
      ['    await files.addNote(note)\n', ''],
      [
        '    await transaction.rollback()\n    await files.discard(staged, place).catch',
        '    await files.discard(staged, place).catch',
      ],
      ['if (conflicts < CONFLICTS_MAX) continue', ''],
    ],
  },
  {
    file: 'src/modules/exports/archive-table.ts',
    tests: [
      'test/modules/exports/archive-to.test.ts',
      'test/modules/exports/archive-faults.test.ts',
    ],
    edits: [
      [`if (transaction?.state === 'committed') return true`, ''],
      ['if ((await catalog.paths.findRecorded(tableUuid, paths)).size > 0) return true', ''],
      ['    commitId: append.commit_id,\n', ''],
      ['if (!isSame || parquet === undefined) {', 'if (parquet === undefined) {'],
      ['if (missing === undefined) return changes', 'return changes'],
    ],
  },
  {
    file: 'src/modules/exports/archive.ts',
    tests: ['test/modules/exports/csv-records.test.ts'],
    edits: [
      ['if (byte === QUOTE) this.', 'if (false) this.'],
      ['const from = Math.min(length, -byteOffset & 3)', 'const from = Math.min(length, 0)'],
      ['hasZero(word ^ QUOTES) || ', ''],
      ['this.#addBytes(bytes, from + 4 * words.length, length)', ''],
    ],
  },
  ...TOLD_AND_GRANTED,
]
