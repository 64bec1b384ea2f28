import type { MutantGroup } from './mutant.ts'

const KEPT = 'test/lake/deletion/kept-files.test.ts'
const PURGE = [KEPT, 'test/lake/deletion/purge.test.ts']
const SWEEPS = ['test/lake/deletion/sweeps.test.ts']
const PURGED = ['test/lake/deletion/sweep-purged.test.ts']
const CLONES = ['test/lake/deletion/dropped-clones.test.ts']
const PATHS = ['test/catalog/sqlite/sqlite.test.ts']
const SLICES = ['test/catalog/sqlite/sqlite-slices.test.ts']
const FOREIGN = ['test/modules/iceberg-rest/http/foreign-metadata.test.ts']

/** Bugs in deleting, each of which loses a file that something names, or keeps one for ever. */
export const DELETION: readonly MutantGroup[] = [
  {
    file: 'src/lake/deletion/file-use.ts',
    tests: PURGE,
    edits: [
      [`use.add(locationKey(path), { kind: 'transaction', name: transactionId, tableUuid })`, ''],
      ['    if (state !== undefined) await addNamed(deps, use, { state, keys })\n', ''],
      ['  await addPlaced(deps, use, { paths, exceptTableUuid })\n', ''],
      ['      if (keys.has(key)) use.add(key, { ...holder, kind })\n', ''],
      [
        'ids.every((id) => !isOfTable(this.#holders.get(id)))',
        'ids.some((id) => !isOfTable(this.#holders.get(id)))',
      ],
      ['ids.length > 0 && ids.every', 'ids.every'],
      ['    if (tableUuid === exceptTableUuid) continue\n', ''],
    ],
  },
  {
    file: 'src/lake/deletion/file-use.ts',
    tests: CLONES,
    edits: [
      [`    use.add(locationKey(path), { kind: 'dropped-table', name: tableUuid, tableUuid })`, ''],
      [` || holder?.kind === 'dropped-table'`, ''],
    ],
  },
  {
    file: 'src/catalog/sql/sql-drops.ts',
    tests: CLONES,
    edits: [
      ['purges.length === 0 && how', 'how'],
      ['purges.length === 0 && how', 'false && how'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-drops.ts',
    tests: PATHS,
    named: 'known paths',
    edits: [[' && how.isReplaced !== true', '']],
  },
  {
    file: 'src/catalog/sql/sql-locations.ts',
    tests: PATHS,
    named: 'known paths',
    edits: [
      ['  if (last !== undefined) await endLeaving(transaction, uuid)\n', ''],
      ['  await forgetPathsOfPlaceless(transaction, tableUuid)\n', ''],
      ['  if (place !== undefined || !(await', '  if (!(await'],
    ],
  },
  {
    file: 'src/catalog/sql/paths/table-leftovers.ts',
    tests: PATHS,
    named: 'known paths',
    edits: [
      ['  if (!leaves) {', '  if (true as boolean) {'],
      [`await deleteSome(transaction, 'dropped_paths', some)`, '[]'],
    ],
  },
  {
    file: 'src/catalog/sql/paths/sql-paths.ts',
    tests: PATHS,
    named: 'known paths',
    edits: [["['known_paths', 'dropped_paths'] as const", "['known_paths'] as const"]],
  },
  {
    file: 'src/lake/deletion/named-files.ts',
    tests: PURGE,
    edits: [
      ['  for (const path of statisticsPaths(definition)) tell(path, undefined)\n', ''],
      ['    const keys = this.#wantedAmong([file.path])\n', '    const keys: string[] = []\n'],
      [`listed === 'unreadable' || (listed === 'missing' && isNeeded)`, `listed === 'unreadable'`],
      [`keys === 'unreadable' || (keys === 'missing' && isNeeded)`, `keys === 'unreadable'`],
      [`if (err.code === 'file-not-found') return 'missing'`, `if (true) return 'missing'`],
      ['new Set(this.#wantedAmong([manifestList]))', 'new Set<string>()'],
    ],
  },
  {
    file: 'src/lake/deletion/deletable-files.ts',
    tests: PURGE,
    edits: [
      ['let isKept = above.length === 0', 'let isKept = false'],
      ['isKept ||= keeping', 'isKept = keeping'],
      ['  if (isDropped) return kept\n', '  if (isDropped) return false\n'],
      ['keepsFiles(state.definition.properties)', 'false'],
      ['isBelow(location, path)', 'true'],
    ],
  },
  {
    file: 'src/lake/deletion/unlinker.ts',
    tests: [...PURGE, 'test/lake/deletion/purge-steps.test.ts'],
    edits: [
      ['    if (await areDeletionsHeld(deps)) break\n', ''],
      ['if (!(await areDeletionsHeld(deps))) {', 'if (true) {'],
      ['!isKept(d) && !use.isUsed(d.path))', '!isKept(d))'],
      ['isLasting(deletion) || !deletable.has(deletion.path)', 'isLasting(deletion)'],
      ['begun.filter((deletion) => !named.has(deletion))', 'begun'],
      ['[begun.filter((d) => !isLast(d)), begun.filter(isLast)]', '[begun]'],
      [`await deletions.update(done, { state: 'unlinked', dueAtMs })`, ''],
      ['  await deletions.forget(lasting)\n', ''],
    ],
  },
  {
    file: 'src/lake/deletion/past-deletions.ts',
    tests: [...PURGE, 'test/lake/deletion/purge-steps.test.ts'],
    edits: [
      ['        if (!isThere) throw error\n', ''],
      ['        rewritten.add(deletionId(deletion))\n', ''],
    ],
  },
  {
    file: 'src/lake/deletion/pending-uploads.ts',
    tests: SWEEPS,
    edits: [
      ['    await catalog.deletions.add(deletions)\n', ''],
      ['found[i] === undefined', 'true'],
      ['found[i] === undefined', 'false'],
    ],
  },
  {
    file: 'src/lake/deletion/incoming-uploads.ts',
    tests: SWEEPS,
    edits: [['if (UPLOAD.test(info.location.slice(folder.length))) yield info', 'yield info']],
  },
  {
    file: 'src/lake/deletion/purge.ts',
    tests: SWEEPS,
    edits: [['      await this.#addIncoming(state)\n', '']],
  },
  {
    file: 'src/lake/deletion/purge.ts',
    tests: PURGED,
    edits: [
      ['[...this.#doomed, markOf(state.definition)]', 'this.#doomed'],
      ['gone.size > 0 ? [...this.#kept] : []', '[]'],
      ['        else this.#kept.add(path)\n', ''],
      ['!isOfLivingTable(holder) || !gone.has(holder.tableUuid)', 'true'],
    ],
  },
  {
    file: 'src/lake/deletion/sweep-purged.ts',
    tests: PURGED,
    edits: [
      ['!location.endsWith(`-${tableUuid}`) || ', ''],
      ['      if (file.modifiedAtMs >= beforeMs) continue\n', ''],
      ['deletable.has(path) && !use.isUsed(path)', 'deletable.has(path)'],
      ['? AGAIN_MS : undefined', '? undefined : undefined'],
      ['    return RETRY_MS\n', '    return undefined\n'],
      ['      isLeft = true\n', ''],
      ['dueAtMs: nowMs - WRITTEN_MS, limit', 'dueAtMs: nowMs - 30 * DAY_MS, limit'],
    ],
  },
  {
    file: 'src/lake/deletion/sweep-unfinished.ts',
    tests: SWEEPS,
    edits: [
      ['if (info.modifiedAtMs < beforeMs) await', 'await'],
      ['const isFree = begun.length > 0 && ', 'const isFree = '],
      [
        ' && (await catalog.paths.findDropped([path])).size === 0',
        ' && (await catalog.paths.findDropped([path])) !== undefined',
      ],
      ['tables.every(({ isDropped }) => isDropped)', 'true'],
      ['!folder.startsWith(`${warehouse}/.`) && ', ''],
      ['ofDropped(folder, 1)', 'ofDropped(folder, 0)'],
    ],
  },
  {
    file: 'src/lake/deletion/table-files.ts',
    tests: FOREIGN,
    edits: [
      [
        'if (foreign.length === 0) this.#addAll(unsaid)\n    else',
        'this.#addAll(unsaid)\n    if (foreign.length > 0)',
      ],
      ['location.endsWith(`-${tableUuid}`)', 'true'],
      [
        '(await sortMetadata(this.#deps, await this.#newIn(chosen), tableUuid)).own',
        'await this.#newIn(chosen)',
      ],
    ],
  },
  {
    file: 'src/lake/table/foreign-metadata.ts',
    tests: FOREIGN,
    edits: [
      ['own: said.filter((_, i) => owners[i] === tableUuid)', 'own: said'],
      ['isMetadataName(file) || isDropMark', 'isDropMark'],
      ['owners[i] !== tableUuid && owners[i] !== GONE', 'false'],
      ['if (owner !== tableUuid && owner !== GONE) return location', 'if (false) return location'],
    ],
  },
  {
    file: 'src/lake/table/table-location.ts',
    tests: FOREIGN,
    edits: [
      ['    if (known.includes(folder)) continue\n', ''],
      [
        'new Set([`${location}/metadata`, metadataFolder(definition)])',
        'new Set([metadataFolder(definition)])',
      ],
      [
        'new Set([`${location}/metadata`, metadataFolder(definition)])',
        'new Set([`${location}/metadata`])',
      ],
    ],
  },
  {
    file: 'src/lake/table/table-location.ts',
    tests: ['test/modules/iceberg-rest/http/linked-locations.test.ts'],
    edits: [
      ['  await requireNoLink(deps, location)\n', ''],
      ['[...onTheWay, `${location}/metadata`, `${location}/data`]', 'onTheWay'],
      ['[...onTheWay, `${location}/metadata`', '[`${location}/metadata`'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-deletions.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'SQLite, a file (known paths|file deletions)',
    edits: [
      ['!examinedTableUuids.has(table_uuid)', 'false'],
      ['    ...staged.map((row) => row.path_key),\n', ''],
      [`          .where('file_deletions.state', '=', 'doomed'),\n`, ','],
      [`deletion.state === 'unlinking' || !rewritten`, `!rewritten`],
      [`    if (deletion.state === 'doomed') return false\n`, '    return false\n'],
      [`.when('excluded.due_at_ms', '<',`, `.when('excluded.due_at_ms', '>',`],
      [`    .where('state', '=', 'unlinking')\n    .limit(REFUSED_MAX)`, '    .limit(REFUSED_MAX)'],
      [
        `'=', mark)\n      .where('state', '=', state)\n      .where(counts)`,
        `'=', mark)\n      .where(counts)`,
      ],
    ],
  },
  {
    file: 'src/catalog/sql/sql-deletions.ts',
    tests: ['test/lake/deletion/key-paths.test.ts'],
    edits: [['  if (unkeyed.some(isNew)) return new Set(keys)\n', '']],
  },
  {
    file: 'src/catalog/sql/paths/sql-paths.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'SQLite, a file (known paths|file deletions)',
    edits: [
      [`          .where('t.expires_at_ms', '>', BigInt(Math.floor(nowMs)))\n`, ''],
      [
        `        .where('table_uuid', '=', tableUuid),\n    )\n    return new Set`,
        `,\n    )\n    return new Set`,
      ],
      [`          .where('footer', 'is not', null)\n`, `          .where('footer', 'is', null)\n`],
    ],
  },
  {
    file: 'src/catalog/sql/paths/path-rows.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'SQLite, a file (known paths|file deletions)',
    edits: [
      ['path_hash: pathHash(path)', 'path_hash: 1n'],
      [`pathRows(chunk, footers), 'is-replaced')`, `pathRows(chunk, footers), 'stays')`],
      ['footer ?? dropped.get(path_hash) ?? null', 'footer'],
    ],
  },
  {
    file: 'src/catalog/sql/paths/sql-paths.ts',
    tests: ['test/lake/deletion/key-paths.test.ts'],
    edits: [
      ['if ((await this.#findUnkeyed()).includes(tableUuid)) return new Set(paths)', ''],
      ['    if (unkeyed.length === 0) return recorded\n', '    return recorded\n'],
      [`if (found !== undefined && found !== BigInt(version)) return 'changed'`, ''],
      ['if ((await holdTable(transaction, tableUuid)) === undefined) return\n', 'return\n'],
    ],
  },
  {
    file: 'src/catalog/sql/paths/sql-paths.ts',
    tests: SLICES,
    named: 'and dooms nothing',
    edits: [['      if (version === undefined) return false\n', '']],
  },
  {
    file: 'src/catalog/sql/paths/table-leftovers.ts',
    tests: SLICES,
    named: 'cut off is no table|swept in between|comes back while|whatever is noted',
    edits: [
      [`        .where('claim', '=', claim)\n`, ''],
      ['  if (claim === undefined || note?.claim === claim) return\n', '  return\n'],
      ['      return claim === undefined ? isFree : where', '      return where'],
      ['!(await forgetSomePaths(transaction, tableUuid))) return true\n', 'false) return true\n'],
      ['living === undefined && !', '!'],
      [
        'if ((await findTableVersion(transaction, tableUuid)) !== undefined) return',
        'if (false) return',
      ],
      [
        `  await transaction.deleteFrom('table_leftovers').where('table_uuid',`,
        `  void transaction.deleteFrom('table_leftovers').where('table_uuid',`,
      ],
      ['  return known.length < some.limit', '  return true'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-creations.ts',
    tests: SLICES,
    named: 'in between|may name any path|purge that is cut off|comes back while',
    edits: [
      ['  await endClaim(transaction, tableUuid, ahead?.claim)\n', ''],
      ['if (lastVersion !== source.lastVersion) throw', 'if (false) throw'],
      ['    await copyMark(transaction, table, ahead)\n', ''],
      ['    await takeTableFromDeletion(transaction, tableUuid)\n    const', '    const'],
      ['  if (mayNameAny) await', '  await'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-drops.ts',
    tests: SLICES,
    named: 'purge that is cut off|of two purges|create that is cut off',
    edits: [
      ['  await endPurge(transaction, tableUuid)\n', ''],
      ['  await noteLeftovers(transaction, tableUuid)\n', ''],
      ['  for (const purge of purges) await notePurge(transaction, purge)\n', ''],
    ],
  },
  {
    file: 'src/catalog/sql/paths/sql-purges.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'a file file deletions (a purged table|a drop without)',
    edits: [
      [
        "for (const name of ['purges', 'purged_tables'] as const)",
        "for (const name of ['purges'] as const)",
      ],
      ['Math.max(due, purges.get(id)?.dueAtMs ?? due)', 'due'],
      ["    if (reason !== 'purge') continue\n", ''],
      [`    .orderBy('due_at_ms')\n    .limit(limit)`, '    .limit(limit)'],
      ['  if (dueAtMs === undefined) {', '  if (false as boolean) {'],
    ],
  },
  {
    file: 'src/catalog/sql/paths/sql-purges.ts',
    tests: SLICES,
    named: 'purge that is cut off|of two purges|from deletion',
    edits: [
      [`state <> 'doomed' or reason <> 'purge' or exists`, `exists`],
      [`state <> 'doomed' or reason <> 'purge' or exists`, `true or exists`],
      ['  if ((await findTableVersion(transaction, tableUuid)) !== undefined) return\n', ''],
      [
        `purges.table_uuid = file_deletions.table_uuid and purges.mark = file_deletions.mark`,
        '1 = 1',
      ],
    ],
  },
  {
    file: 'src/catalog/sql/paths-ahead.ts',
    tests: SLICES,
    named: 'swept in between|from deletion|purge that is cut off',
    edits: [
      ['      if (!(error instanceof LostClaimError)) throw error\n', '      throw error\n'],
      [`        where('state', '!=', 'doomed'),\n`, ''],
      [`        where('reason', '!=', 'purge'),\n`, ''],
    ],
  },
  {
    file: 'src/catalog/sql/paths-ahead.ts',
    tests: PATHS,
    named: 'SQLite, a file .*footers come with the commit',
    edits: [['rows.map((row) => ({ ...row, footer: null }))', 'rows']],
  },
  {
    file: 'src/catalog/sql/paths/path-rows.ts',
    tests: PATHS,
    named: 'SQLite, a file .*footers come with the commit',
    edits: [
      ['row.footer !== (known.get(row.path_hash) ?? null)', 'row.footer !== null'],
      [`yield rowInsert(transaction, tableUuid, chunk, 'is-replaced')`, ''],
    ],
  },
]
