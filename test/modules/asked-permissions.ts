/** What requests mention that is not known before. */
export const ids = { tableUuid: '', job: '', open: '', staged: '', aborted: '' }

export interface Expected {
  /** With the fixed text of `ids` in braces. */
  readonly path: string
  readonly json?: object | (() => object)
  /** One or several questions, in order; none for a public route. */
  readonly asks: readonly string[] | (() => readonly string[])
  /** The status of a route that asks for nothing and refuses the request for another reason. */
  readonly refusedWith?: number
}

const QUERIES = [{ dialect: 'duckdb', sql: 'SELECT 2 AS one' }]
const TABLE = '/v1/tables/sky.planets'
const ofTransaction = (id: keyof typeof ids) => () => ({ transaction_id: ids[id] })

/** By operation: one request, and what the authorizer is asked about it. */
export const EXPECTED: Readonly<Record<string, Expected>> = {
  home: { path: '/', asks: [] },
  health: { path: '/health', asks: [] },
  ready: { path: '/ready', asks: [] },
  metrics: { path: '/metrics', asks: ['describe catalog', 'admin catalog'] },
  openapi: { path: '/openapi.yaml', asks: [] },
  docs: { path: '/docs', asks: [] },
  explainProblem: { path: '/problems/internal', asks: [] },

  listEvents: { path: '/v1/events', asks: ['describe catalog', 'admin catalog'] },
  listJobs: { path: '/v1/jobs', asks: ['describe catalog', 'admin catalog'] },
  getJob: { path: '/v1/jobs/{job}', asks: ['describe catalog', 'admin catalog'] },
  cancelJob: { path: '/v1/jobs/{job}', asks: ['modify catalog', 'admin catalog'] },

  createTable: {
    path: '/v1/tables',
    json: { name: 'sky.moons', schema: { columns: [{ name: 'id', type: 'long' }] } },
    asks: ['create namespace [sky]'],
  },
  listTables: { path: '/v1/tables?namespace=sky.far', asks: ['describe namespace [sky.far]'] },
  readTable: { path: TABLE, asks: ['select table sky.planets'] },
  readSnapshot: { path: `${TABLE}/latest`, asks: ['select table sky.planets'] },
  listSnapshots: { path: `${TABLE}/snapshots`, asks: ['describe table sky.planets'] },
  getTimemap: { path: `${TABLE}/timemap`, asks: ['describe table sky.planets'] },
  listSchemas: { path: `${TABLE}/schemas`, asks: ['select table sky.planets'] },
  listViewSchemas: {
    path: '/v1/views/sky.planets/schemas',
    asks: ['select table sky.planets'],
  },
  evolveSchema: {
    path: `${TABLE}/schemas`,
    json: { changes: [{ op: 'add', column: { name: 'mass', type: 'double' } }] },
    asks: ['modify table sky.planets'],
  },
  evolveViewSchema: {
    path: '/v1/views/sky.planets/schemas',
    json: { changes: [{ op: 'add', column: { name: 'size', type: 'double' } }] },
    asks: ['modify table sky.planets'],
  },
  describeTable: {
    path: `${TABLE}/metadata`,
    json: { steward: 'observatory' },
    asks: ['modify table sky.planets'],
  },
  rollbackTable: {
    path: `${TABLE}/rollback`,
    json: { snapshot_id: '1' },
    asks: ['modify table sky.planets'],
  },
  cloneTable: {
    path: `${TABLE}/clone`,
    json: { name: 'twins', namespace: 'sky.copies' },
    asks: ['select table sky.planets', 'create namespace [sky.copies]'],
  },
  renameTable: {
    path: '/v1/tables/sky.planets/rename',
    json: { name: 'planets' },
    asks: ['own table sky.planets', 'create namespace [sky]'],
  },
  dropTable: { path: '/v1/tables/sky.doomed', asks: ['own table sky.doomed'] },

  createView: {
    path: '/v1/views',
    json: {
      ...{ name: 'dim', namespace: 'sky', queries: QUERIES },
      schema: { columns: [{ name: 'one', type: 'long' }] },
    },
    asks: ['create namespace [sky]'],
  },
  listViews: { path: '/v1/views', asks: ['describe namespace [default]'] },
  getView: { path: '/v1/views/sky.bright', asks: ['select view sky.bright'] },
  replaceView: {
    path: '/v1/views/sky.bright',
    json: { queries: QUERIES },
    asks: ['modify view sky.bright'],
  },
  renameView: {
    path: '/v1/views/sky.bright/rename',
    json: { name: 'bright' },
    asks: ['own view sky.bright', 'create namespace [sky]'],
  },
  dropView: { path: '/v1/views/sky.fading', asks: ['own view sky.fading'] },

  listRefs: { path: `${TABLE}/refs`, asks: ['describe table sky.planets'] },
  setRef: { path: `${TABLE}/refs/first`, asks: ['modify table sky.planets'] },
  dropRef: { path: `${TABLE}/refs/nothing`, asks: ['modify table sky.planets'] },

  createNamespace: {
    path: '/v1/namespaces',
    json: { name: 'sky.deep' },
    asks: ['create namespace [sky]'],
  },
  listNamespaces: { path: '/v1/namespaces?parent=sky', asks: ['describe namespace [sky]'] },
  getNamespace: { path: '/v1/namespaces/sky', asks: ['describe namespace [sky]'] },
  changeNamespace: {
    path: '/v1/namespaces/sky',
    json: { properties: { owner: 'us' } },
    asks: ['modify namespace [sky]'],
  },
  dropNamespace: { path: '/v1/namespaces/sky.ebb', asks: ['own namespace [sky.ebb]'] },

  stageFiles: {
    path: `${TABLE}/files`,
    json: { files: [{ path: 'file:///nowhere.parquet' }] },
    asks: ['modify table sky.planets'],
  },
  removeFiles: {
    path: `${TABLE}/files/remove`,
    json: { files: [{ path: 'file:///nowhere.parquet' }] },
    asks: ['modify table sky.planets'],
  },
  truncateTable: { path: `${TABLE}/files/truncate`, asks: ['modify table sky.planets'] },
  startTransaction: {
    path: '/v1/transactions/start',
    json: { tables: ['sky.planets'] },
    asks: ['modify table sky.planets'],
  },
  commitTransaction: {
    path: '/v1/transactions/commit',
    json: ofTransaction('staged'),
    asks: () => [`modify transaction ${ids.staged}`, `modify table ${ids.tableUuid}`],
  },
  abortTransaction: {
    path: '/v1/transactions/abort',
    json: ofTransaction('aborted'),
    asks: () => [`modify transaction ${ids.aborted}`],
  },
  listTransactions: { path: '/v1/transactions', asks: ['describe catalog'] },
  viewTransaction: {
    path: '/v1/transactions/{open}',
    asks: () => [`describe transaction ${ids.open}`],
  },

  readRows: { path: `${TABLE}/rows`, asks: ['select table sky.planets'] },
  columnStatistics: {
    path: `${TABLE}/columns/id/statistics`,
    asks: ['select table sky.planets'],
  },
  diffSnapshots: { path: `${TABLE}/diff?from=latest`, asks: ['select table sky.planets'] },
  query: {
    path: '/v1/query',
    json: { source: { table: 'sky.planets' } },
    asks: ['select table sky.planets'],
  },
  estimateQuery: {
    path: '/v1/query/estimate',
    json: { source: { table: 'sky.planets' } },
    asks: ['select table sky.planets'],
  },
  dumpTable: { path: `${TABLE}/dump?format=csv`, asks: ['select table sky.planets'] },
  dumpSnapshot: { path: `${TABLE}/latest/dump?format=csv`, asks: ['select table sky.planets'] },
  openGzipCsvFile: { path: `${TABLE}/planets.csv.gz`, asks: ['select table sky.planets'] },
  openZstdCsvFile: { path: `${TABLE}/planets.csv.zst`, asks: ['select table sky.planets'] },
  openGzipTsvFile: { path: `${TABLE}/planets.tsv.gz`, asks: ['select table sky.planets'] },
  openZstdTsvFile: { path: `${TABLE}/planets.tsv.zst`, asks: ['select table sky.planets'] },
  openGzipNdjsonFile: { path: `${TABLE}/planets.ndjson.gz`, asks: ['select table sky.planets'] },
  openZstdNdjsonFile: { path: `${TABLE}/planets.ndjson.zst`, asks: ['select table sky.planets'] },
  openJsonlFile: { path: `${TABLE}/planets.jsonl`, asks: ['select table sky.planets'] },
  openGzipJsonlFile: { path: `${TABLE}/planets.jsonl.gz`, asks: ['select table sky.planets'] },
  openZstdJsonlFile: { path: `${TABLE}/planets.jsonl.zst`, asks: ['select table sky.planets'] },
  openCsvFile: { path: `${TABLE}/planets.csv`, asks: ['select table sky.planets'] },
  openTsvFile: { path: `${TABLE}/planets.tsv`, asks: ['select table sky.planets'] },
  openJsonFile: { path: `${TABLE}/planets.json`, asks: ['select table sky.planets'] },
  openXmlFile: { path: `${TABLE}/planets.xml`, asks: ['select table sky.planets'] },
  openNdjsonFile: { path: `${TABLE}/planets.ndjson`, asks: ['select table sky.planets'] },
  openParquetFile: { path: `${TABLE}/planets.parquet`, asks: ['select table sky.planets'] },
  openArrowFile: { path: `${TABLE}/planets.arrow`, asks: ['select table sky.planets'] },
  digestDump: { path: `${TABLE}/dump.sha256?format=csv`, asks: ['select table sky.planets'] },
  digestSnapshotDump: {
    path: `${TABLE}/latest/dump.sha256?format=csv`,
    asks: ['select table sky.planets'],
  },
  dumpStatus: { path: `${TABLE}/dump/status?format=csv`, asks: ['select table sky.planets'] },
  snapshotDumpStatus: {
    path: `${TABLE}/latest/dump/status?format=csv`,
    asks: ['select table sky.planets'],
  },
  ckanDump: {
    path: '/datastore/dump/sky.planets?format=csv',
    asks: ['select table sky.planets'],
  },
}
