import type { MutantGroup } from './mutant.ts'

const HTTP = 'test/modules/datasets/datasets.test.ts'
const RIGHTS = 'test/modules/datasets/dataset-rights.test.ts'
const NAMES = 'test/modules/datasets/dataset-names.test.ts'
const QUERIES = 'test/modules/datasets/query-datasets.test.ts'
const DOCUMENTS = 'test/modules/datasets/documents.test.ts'
const STORE = 'test/catalog/sqlite/sqlite.test.ts'
const QUEUED = 'test/modules/datasets/queued-datasets.test.ts'

/** Bugs by which a dataset would change, be lost, be shown to others, or be made twice. */
export const DATASETS: readonly MutantGroup[] = [
  {
    file: 'src/modules/datasets/tell-cancelled.ts',
    tests: ['test/modules/datasets/cancelled-datasets.test.ts'],
    edits: [
      ['  if (dataset === undefined || !isUnfinished(dataset)) return\n', ''],
      ['>= sinceMs', '< sinceMs'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-datasets.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [
      [`      .where('expires_at_ms', '<', expires_at_ms)\n`, ''],
      [
        '      expires_at_ms: null,\n      securable: tableUuid,\n',
        '      securable: tableUuid,\n',
      ],
      ['      securable: tableUuid,\n', ''],
      ['principal: undefined, raise:', 'principal: raised.principal, raise:'],
      [`    .where('state', '=', 'queued')\n`, ''],
      [`set({ state: 'expired', living_identity: null,`, `set({ state: 'expired',`],
    ],
  },
  {
    file: 'src/catalog/sql/rows/dataset-rows.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [['    living_identity: dataset.identity,\n', '    living_identity: null,\n']],
  },
  {
    file: 'src/catalog/sql/sql-datasets.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [
      ['const after = { ...before, ...card }', 'const after = { ...card, ...before }'],
      [
        'if (dataset.follows !== undefined) await refuseOvertaken',
        'if (false) await refuseOvertaken',
      ],
    ],
  },
  {
    file: 'src/catalog/sql/find/dataset-queries.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [
      [`newest.where('published_at_ms', 'is not', null)`, 'newest'],
      ['published.orderBy(endedLast)', 'published'],
      [`orderBy(endedLast).orderBy('version', 'desc')`, 'orderBy(endedLast)'],
      [`named.where('living_identity', '=', key.identity)`, 'named'],
    ],
  },
  {
    file: 'src/catalog/sql/access/dropped-grants.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [
      [`    .where('privilege', '!=', 'create')\n`, ''],
      ['[tableUuid, ...(place?.namespaceUuids ?? [])]', '[tableUuid]'],
    ],
  },
  {
    file: 'src/catalog/sql/access/sql-grants.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [[`        .where('ended_at_ms', 'is', null),\n`, '']],
  },
  {
    file: 'src/modules/datasets/dataset-names.ts',
    tests: [NAMES],
    edits: [
      ['  if (published !== undefined) return requireOwn(published, asker)\n', ''],
      [' || !isLiving(newest, nowMs)', ''],
      ['  if (isKnown && newest.createdBy === nameOfPrincipal(principal)) return\n', ''],
      [`authorize, privilege: 'own'`, 'authorize'],
    ],
  },
  {
    file: 'src/modules/access/grant-authorizer.ts',
    tests: [RIGHTS],
    edits: [[' || found.isDropped === true', '']],
  },
  {
    file: 'src/catalog/sql/sql-tables.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [
      ['    for (const { state } of commit.tables) refuseReserved(state.namespace)\n', ''],
      [
        'refuseReserved(await deleteTable(transaction, table, context))',
        'await deleteTable(transaction, table, context)',
      ],
    ],
  },
  {
    file: 'src/catalog/sql/sql-commit.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [['  refuseReserved(before?.namespace ?? [])\n', '']],
  },
  {
    file: 'src/catalog/sql/find/find-table.ts',
    tests: [STORE],
    named: 'datasets',
    edits: [['  if (!withDatasets) query', '  if (withDatasets) query']],
  },
  {
    file: 'src/modules/datasets/dataset-authorizer.ts',
    tests: [RIGHTS],
    edits: [
      [`privilege === 'manage_grants') return`, `privilege === 'create') return`],
      ['for (const table of readBy(dataset)) {', 'for (const table of readBy(dataset).slice(1)) {'],
    ],
  },
  {
    file: 'src/modules/datasets/query-dataset.ts',
    tests: [QUEUED, 'test/modules/datasets/dataset-faults.test.ts'],
    edits: [
      ["if (!isLiving(dataset, deps.ambient.nowMs())) return { state: 'expired' }", ''],
      ['if (ran === undefined) throw new JobNotYet(NOT_YET_MS)', 'if (ran === undefined) return'],
      ['    requireSameReading(dataset, planned)\n', ''],
      ['  requireSameReading(dataset, [{ source: read, readAs, files }])\n', ''],
      ['table: { ...made.table, rewritten } }', '}'],
      ['const cause = await causeOf(deps, error)', 'const cause = error'],
    ],
  },
  {
    file: 'src/modules/datasets/dataset-identity.ts',
    tests: [QUEUED],
    edits: [
      ['facts.columnsDigest === now.columnsDigest', 'true'],
      ['facts.columnsDigest === now.columnsDigest', 'false'],
    ],
  },
  {
    file: 'src/modules/datasets/dataset-response.ts',
    tests: ['test/modules/datasets/dataset-faults.test.ts'],
    edits: [[" || dataset.state === 'queued'", '']],
  },
  {
    file: 'src/modules/datasets/dataset-authorizer.ts',
    tests: [HTTP],
    edits: [['!isLiving(dataset, ambient.nowMs())', 'false']],
  },
  {
    file: 'src/modules/datasets/find-dataset.ts',
    tests: [RIGHTS, HTTP, NAMES],
    edits: [
      ['dataset.endedAtMs === undefined ? readBy(dataset) : madeOf(dataset)', 'readBy(dataset)'],
      [`if (stateOf(dataset, nowMs) !== 'expired') return`, 'return'],
      [`error.code === 'table-not-found'`, 'false'],
    ],
  },
  {
    file: 'src/modules/datasets/http/dataset-change-routes.ts',
    tests: [RIGHTS, NAMES],
    edits: [
      [`const asking = { ...call, privilege: 'own' }`, 'const asking = call'],
      [`named, { ...call, privilege: 'own' }`, 'named, call'],
      ['    await requireOwnPublished(service, dataset.name, asker)\n', ''],
      [`    await sourceNamed(dataset, asker.authorize('own', madeOf(dataset)))\n`, ''],
    ],
  },
  {
    file: 'src/modules/datasets/withdraw-dataset.ts',
    tests: ['test/modules/datasets/cancelled-datasets.test.ts'],
    edits: [
      ['if (!isCancelled && inputOf(input).asker !== asker) throw refusal\n', ''],
      ['jobs.cancel(open.jobId, asker)', 'jobs.cancel(open.jobId)'],
      ['open === undefined || open.endedAtMs !== undefined', 'open === undefined'],
      ['job !== undefined && job.endedAtMs === undefined', 'false'],
    ],
  },
  {
    file: 'src/modules/access/path-rule.ts',
    tests: [RIGHTS],
    edits: [['of originsOf(dataset)) {', 'of [uuid]) {']],
  },
  {
    file: 'src/modules/datasets/end-dataset.ts',
    tests: [HTTP],
    edits: [
      ['const DOWNLOAD_MS_MAX = 24 * HOUR_MS', 'const DOWNLOAD_MS_MAX = 0'],
      ['expiresAtMs === undefined || expiresAtMs > nowMs', 'true'],
    ],
  },
  {
    file: 'src/modules/datasets/dataset-identity.ts',
    tests: [QUERIES, HTTP],
    edits: [['query ?? null', 'null']],
  },
  {
    file: 'src/modules/datasets/dataset-identity.ts',
    tests: ['test/modules/datasets/read-otherwise.test.ts'],
    named: 'given again',
    edits: [['canonical, sources.map(readingOf)', 'canonical, sources.length']],
  },
  {
    file: 'src/modules/datasets/query-dataset.ts',
    tests: [QUERIES],
    edits: [
      ['dataset === undefined || !isUnfinished(dataset)', 'true'],
      ['await datasets.finish({ tableUuid, problem,', 'void ({ tableUuid, problem,'],
    ],
  },
  {
    file: 'src/modules/datasets/write-shards.ts',
    tests: ['test/modules/datasets/write-shards.test.ts'],
    edits: [
      ['if (!isByRow) return [sources]\n', ''],
      ['groupBy === undefined && ', ''],
      [' && limit === undefined', ''],
      ['if (!isKept) await', 'await'],
      ['found === undefined || isKept', 'true'],
      ['rows >= SHARD_ROWS_MIN || ', ''],
    ],
  },
  {
    file: 'src/modules/datasets/prepare-formats.ts',
    tests: [QUERIES],
    edits: [['  await makeNoFormats(deps, tableUuid)\n', '']],
  },
  {
    file: 'src/modules/datasets/prepare-formats.ts',
    tests: ['test/modules/datasets/prepared-formats.test.ts'],
    edits: [
      ['if (signal.aborted || !isLasting(await causeOf(deps, error))) throw error', 'throw error'],
      ['!isMade', 'false'],
      ['prepare({ tableUuid, add: formats })', 'prepare({ tableUuid })'],
    ],
  },
  {
    file: 'src/catalog/sql/mutation/dataset-preparation.ts',
    tests: [STORE],
    edits: [
      ['  if (!isUnfinished(dataset)) return dataset\n', ''],
      ['...(preparing !== undefined && { preparing })', ''],
    ],
  },
  {
    file: 'src/modules/datasets/verify-dataset.ts',
    tests: [DOCUMENTS],
    edits: [
      ['info?.sizeBytes !== sizeBytes', 'false'],
      ['isReproduced: areRowsSame', 'isReproduced: isWhole'],
      ['if (digests[0] === digests[1]) return true', 'return true'],
    ],
  },
]
