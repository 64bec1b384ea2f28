import type { MutantGroup } from './mutant.ts'

const OWN = ['test/modules/exports/own-tables.test.ts', 'test/modules/exports/own-rewrites.test.ts']
const LATE = ['test/modules/exports/late-answers.test.ts']
const PAUSE = ['test/modules/exports/export-pause.test.ts']
const BODIES = ['test/modules/unread-bodies.test.ts']
const BACKUPS = ['test/commands/backup.test.ts']

/** Bugs by which rows of our own tables would be removed and not archived, or brought back. */
export const OWN_TABLES: readonly MutantGroup[] = [
  {
    file: 'src/modules/exports/meant-files.ts',
    tests: OWN,
    edits: [
      ['isInverted: false', 'isInverted: true'],
      ['partly?.has(source.dataFile.path) === false ? undefined : selection', 'undefined'],
      ['?.has(source.dataFile.path) === false', '?.has(source.dataFile.path) !== true'],
    ],
  },
  {
    file: 'src/core/filter/parse/other-rows.ts',
    tests: OWN,
    edits: [
      ['  if (predicates.some(hasNull)) return undefined\n', ''],
      ['operand: root }, ...unknown]', 'operand: root }, ...unknown.slice(1)]'],
      ["return predicate.literal.kind === 'null'", 'return false'],
      ["return predicate.literals.some(({ kind }) => kind === 'null')", 'return false'],
    ],
  },
  {
    file: 'src/modules/exports/table-transaction.ts',
    tests: OWN,
    edits: [
      ['baseSnapshotId: base?.snapshotId ?? null', 'baseSnapshotId: null'],
      ['isInverted: true', 'isInverted: false'],
      ['    if (deletesOf(before) !== deletesOf(listed)) return undefined\n', ''],
      ['return live.size === removed.size ? now : undefined', 'return now'],
      ['addedFiles: this.#others', 'addedFiles: []'],
      ['        await this.rollback()\n', ''],
      ['moves < MOVES_MAX ? await this.#findOtherBase(error) : undefined', 'undefined'],
      ['if (isNone || ', 'if ('],
    ],
  },
  {
    file: 'src/modules/exports/table-source.ts',
    tests: OWN,
    edits: [['const known = selection === undefined ? liveRows', 'const known = true ? liveRows']],
  },
  {
    file: 'src/engine/worker/query/table-rows.ts',
    tests: OWN,
    edits: [[`isInverted === true ? 'NOT ' : ''`, `''`]],
  },
  {
    file: 'src/sources/postgres/postgres-transaction.ts',
    tests: LATE,
    edits: [
      [`      await this.#client.query('select')\n`, ''],
      ['sourceError(refusal ?? error)', 'sourceError(error)'],
    ],
  },
  {
    file: 'src/modules/exports/export-receipts.ts',
    tests: ['test/modules/exports/export-files.test.ts'],
    edits: [
      ['if (runs.has(receipt.run_id) && !', 'if (!'],
      ['if (!nameless.has(file)) named.push(', 'named.push('],
      ['isThere && !(await this.#nameless(task, [file])).has(file)', 'isThere'],
    ],
  },
]

const PLACES = [
  'test/modules/exports/archive-places.test.ts',
  'test/modules/exports/outside-runs.test.ts',
]

/** Bugs by which rows would be archived where nobody looks, or not be found outside. */
export const ARCHIVE_PLACES: readonly MutantGroup[] = [
  {
    file: 'src/modules/exports/archive-places.ts',
    tests: PLACES,
    edits: [
      ['    await this.open(place)\n    return place\n', '    return place\n'],
      ['if ((await this.#findId(place)) === undefined) {', 'if (true) {'],
      ['    if (id === (await this.#findId(place))) return\n', '    return\n'],
      ['    await putJson(this.#deps.objects, this.#record(place), { place, id })\n', ''],
      ['if (marker.place === place) return marker', 'return marker'],
      ['if (place === archiveTo) continue', 'if (true) continue'],
    ],
  },
  {
    file: 'src/modules/exports/export-files.ts',
    tests: PLACES,
    edits: [
      ['if (place !== undefined) await this.#put(', 'if (false) await this.#put('],
      ['if ((await objects.find(location))?.sizeBytes === bytes) return', 'return'],
      ['written ?? (await this.#findPlaceOf(staged))', 'written'],
      ['(await problemOf(looking)) === null && isThere', 'isThere'],
      ['if (!isMissing || !(await this.isPublished(note))) yield', 'yield'],
      ['const isMissing = !(await this.#isThere(receipt))', 'const isMissing = false'],
    ],
  },
  {
    file: 'src/modules/exports/export-run.ts',
    tests: PLACES,
    edits: [
      ['    await files.requireStaged(note)\n', ''],
      ['  await deps.files.findPlace()\n}', '}'],
    ],
  },
]

/** Bugs by which a pause would not hold, or not end. */
export const PAUSES: readonly MutantGroup[] = [
  {
    file: 'src/modules/exports/export-pauses.ts',
    tests: PAUSE,
    edits: [
      ['    await this.#objects.delete(this.#locationOf(task))\n', ''],
      ['if (name.endsWith(PAUSE_ENDING)) paused.add(', 'paused.add('],
    ],
  },
  {
    file: 'src/modules/exports/http/schedule-routes.ts',
    tests: PAUSE,
    edits: [
      ['if (isPaused) await files.pauses.begin(', 'if (!isPaused) await files.pauses.begin('],
      ['resumeSchedule(service, task)', 'files.pauses.end(task)'],
      ['is_paused: isPaused }', 'is_paused: true }'],
    ],
  },
  {
    file: 'src/modules/exports/export-schedule.ts',
    tests: PAUSE,
    edits: [
      ['        if (paused.has(name)) continue\n', ''],
      ['  if (!(await pauses.list()).has(name)) return\n', ''],
      [`schedule.catchUp === 'one' && overdueSinceMs`, 'overdueSinceMs'],
      ['isMadeUp ? nowMs :', 'isMadeUp ? nextAtMs :'],
    ],
  },
]

/** Bugs by which a backup would lose a task, or a restore make one of two. */
export const COPY_TASKS: readonly MutantGroup[] = [
  {
    file: 'src/modules/exports/copy-tasks.ts',
    tests: BACKUPS,
    edits: [
      ['  if (unread.length > 0) return unread\n', ''],
      ['  if (found.length > 0) {', '  if (false) {'],
      ['return why === undefined ? [] : [', 'return true ? [] : ['],
      ['if (!Buffer.from(bytes).equals(own as Uint8Array)) {', 'if (false) {'],
      ['  if (unseen.length > 0) return unseen\n', ''],
      [`=== 'location-not-allowed') return 'linked'`, `=== '') return 'linked'`],
      ['return added && ', 'return undefined && '],
      ['if (isUnreadable(error)) return', 'if (false) return'],
      ['    notCopied.push(...failures)\n', ''],
      ['if (failures.length === 0) tasks++', 'tasks++'],
      ['new TaskFolder(from.folder, { isCopy })', 'new TaskFolder(from.folder)'],
    ],
  },
]

/** Bugs by which a body would be ignored, or nothing refused as one. */
export const NO_CONTENT: readonly MutantGroup[] = [
  {
    file: 'src/http/body/no-content.ts',
    tests: BODIES,
    edits: [
      ['if (!isNothing(await readShort(request))) throw notTaken()', 'await readShort(request)'],
      ['return /^\\s*(?:', 'return /^(?:'],
      ['(?:\\{\\s*\\})?\\s*$/', '(?:\\{\\})?\\s*$/'],
      ['(?:\\{\\s*\\})?\\s*$/', '(?:\\{\\s*\\})?$/'],
      ['(?:\\{\\s*\\})?\\s*$/', '(?:\\{\\s*\\})?\\s*/'],
      ['(?:\\{\\s*\\})?\\s*$/', '(?:\\{\\s*\\})\\s*$/'],
      ['if (!hasBody(request)) return undefined', 'return undefined'],
      [`path: 'body', message`, `path: '', message`],
      ['const NOTHING_BYTES_MAX = 16', 'const NOTHING_BYTES_MAX = 2'],
    ],
  },
]
