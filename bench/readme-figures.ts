import type { BenchRecord, Figure } from './report.ts'
import { commitsOf, round } from './results.ts'

/** One row of the README: what was measured, here, and by others. */
type Row = readonly [what: string, here: string, others: string]

const COMMIT = 'one-file appends, one table'
const LAKE = 'peer: DuckLake 1.0 of DuckDB 1.5.5, DuckDB as catalog, synced, duplicates unchecked'
const ICEBERG = 'peer: PyIceberg 0.12.0, SQL catalog on SQLite, files not synced'
const MILLION = '1000000 files: GET'
const ROWS = '20000000 rows in 16 files to'

/** The rows of "How fast", in whose figures is nothing but what was recorded. */
export function renderReadmeFigures(records: readonly BenchRecord[]): string {
  const rows = [...commitRows(records), ...readRows(records), ...dumpRows(records)]
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`)
  const table = ['| | Moraine | others |', '|---|---|---|', ...lines].join('\n')
  return `${measured(records)}\n\n${table}`
}

function measured(records: readonly BenchRecord[]): string {
  const days = [...new Set(records.map(({ time }) => time.slice(0, 10)))].join(', ')
  const load = Math.max(...records.map(({ loadAverage }) => loadAverage))
  return (
    `Measured on ${days}, on commit ${commitsOf(records)}, ` +
    `load of the machine before each bench at most ${load}.`
  )
}

function commitRows(records: readonly BenchRecord[]): readonly Row[] {
  const { at, peer, aim } = figuresOf(records, 'commit')
  const rest = figuresOf(records, 'rest')
  const oneProcess = 'commits: PyIceberg add_files, 1 table, 1 process'
  return [
    [
      'one-file transactions a second, one client: over HTTP here, ' +
        "in the client's own process there",
      at(`${COMMIT}, 1 client, one call`),
      `DuckLake ${at(`${LAKE}, 1 thread`)}; PyIceberg with SQLite ` +
        `${at(`${ICEBERG}, 1 process, duplicates unchecked`)}, or ` +
        `${at(`${ICEBERG}, 1 process, duplicates checked as here`)} when it looks for ` +
        'duplicates as Moraine does',
    ],
    [
      'the same, many clients of one table',
      `64 clients: ${at(`${COMMIT}, 64 clients, one call`)}`,
      `DuckLake, 8 threads of one process: ${at(`${LAKE}, 8 threads`)}; PyIceberg, 4 processes: ` +
        `${peer(`${COMMIT}, 64 clients, one call`)}; with 64 clients not measured (\`commit\`)`,
    ],
    [
      'the same, 64 clients on 16 tables',
      `${at('one-file appends, 16 tables, 64 clients, one call')} (the aim was ` +
        `${aim('one-file appends, 16 tables, 64 clients, one call')})`,
      'not measured (`commit`)',
    ],
    [
      'the same, one table, 50 ms added to every write: a *simulated* bucket, not a measured one',
      at(`${COMMIT}, 64 clients, one call, 50 ms added to every write`),
      'not measured (`commit`)',
    ],
    [
      'appends a second over Iceberg REST, by PyIceberg in one process',
      rest.at(oneProcess),
      `Iceberg's \`RESTCatalogServer\` ${rest.peer(oneProcess)}`,
    ],
  ]
}

function readRows(records: readonly BenchRecord[]): readonly Row[] {
  const { at, seconds, peer, peerSeconds } = figuresOf(records, 'plan-million')
  const rest = figuresOf(records, 'rest')
  const history = figuresOf(records, 'history')
  const ordered = `${MILLION}, a column in the order of the files`
  const one = `${MILLION}, one partition`
  const scattered = `${MILLION}, a scattered column`
  return [
    [
      'files to read out of 1,000,000, by a column in the order of the files, ' +
        '`MORAINE_MANIFEST_CACHE=1GB`: first',
      `${seconds(`${ordered}, first`)} s`,
      `PyIceberg ${peerSeconds(`${ordered}, warm, p50`)} s`,
    ],
    [
      'the same, again',
      `${at(`${ordered}, warm, p50`)} ms`,
      `PyIceberg ${peerSeconds(`${ordered}, warm, p50`)} s: it keeps nothing`,
    ],
    [
      'the same by one partition: first, again',
      `${at(`${one}, first`)} ms, ${at(`${one}, warm, p50`)} ms`,
      `PyIceberg ${peer(`${one}, warm, p50`)} ms each time`,
    ],
    [
      'the same by a scattered column: first, again',
      `${seconds(`${scattered}, first`)} s, ${at(`${scattered}, warm, p50`)} ms`,
      'not measured (`plan-million`)',
    ],
    [
      'loading a table of 9,000 snapshots with all of them, ' +
        "the protocol's default and PyIceberg's: again",
      `${rest.at('load, snapshots=all, p50')} ms`,
      `\`RESTCatalogServer\` ${rest.peer('load, snapshots=all, p50')} ms`,
    ],
    [
      'the same with those that a branch or tag names, `snapshots=refs`, ' +
        'which a client must ask for: again',
      `${rest.at('load, snapshots=refs, p50')} ms`,
      `\`RESTCatalogServer\` ${rest.peer('load, snapshots=refs, p50')} ms`,
    ],
    [
      'the same, first after a commit',
      `${history.at('9000 snapshots: REST load, refs: the first after commits, p50')} ms with ` +
        '`refs`; with all not measured (`history`)',
      'not measured (`rest`)',
    ],
  ]
}

function dumpRows(records: readonly BenchRecord[]): readonly Row[] {
  const { at, peer, ratio } = figuresOf(records, 'dump')
  const convert = figuresOf(records, 'convert')
  const http = figuresOf(records, 'dump-http')
  const stitch = figuresOf(records, 'stitch')
  const exported = figuresOf(records, 'export')
  const [csv, ndjson] = [`${ROWS} csv`, `${ROWS} ndjson`]
  const deleted = 'copied and deleted, in one transaction'
  const sent = 'a dump of 641 MB, made already, to one client'
  const joined = '16 Parquet files of 321 MB stitched into one, not synced'
  return [
    [
      'making a dump of 20,000,000 rows as CSV or NDJSON, rows a second',
      `${at(csv)}, ${at(ndjson)} million: ${ratio(csv)}, ${ratio(ndjson)} of the other`,
      `one DuckDB \`COPY\`, not synced: ${peer(csv)}, ${peer(ndjson)} million`,
    ],
    [
      'the same as CSV in gzip, by two children',
      `${at(`${csv} gzip`)} million`,
      `one \`COPY\`: ${peer(`${csv} gzip`)} million`,
    ],
    [
      'the same as Parquet, where row groups are copied and hashed',
      `${at(`${ROWS} parquet`)} million`,
      '`COPY`, which encodes every row again, so not the same work: ' +
        `${peer(`${ROWS} parquet`)} million`,
    ],
    [
      'Parquet where every row must be encoded again, by two children',
      `${convert.at('16 files to parquet, none, by 2 children')} MB/s`,
      `one \`COPY\`: ${convert.peer('16 files to parquet, none, by 2 children')} MB/s`,
    ],
    [
      'Arrow, by two children',
      `${convert.at('16 files to arrow, none, by 2 children')} MB/s`,
      `one \`COPY\`: ${convert.peer('16 files to arrow, none, by 2 children')} MB/s`,
    ],
    [
      'joining 321 MB of Parquet files into one, not synced',
      `${stitch.at(joined)} MB/s`,
      `a plain copy: ${stitch.limit(joined)} MB/s`,
    ],
    [
      'sending a dump that is made to one client',
      `${http.at(sent)} MB/s (the aim was ${http.aim(sent)})`,
      `nginx ${http.peer(sent)} MB/s`,
    ],
    [
      'exporting rows of PostgreSQL to CSV in gzip: copied, and deleted in ' +
        'the same transaction',
      `${exported.at('copied only')}, ${exported.at(deleted)} MB/s`,
      `\`psql \\copy\` to \`gzip\`, which deletes nothing: ${exported.peer('copied only')} MB/s`,
    ],
  ]
}

const MS_PER_S = 1000

/** Figures of one bench, by what was measured, as the tables of docs/performance.md round them. */
function figuresOf(records: readonly BenchRecord[], bench: string) {
  const find = (what: string): Figure => {
    const found = records.find((record) => record.bench === bench && record.what === what)
    if (found === undefined || !('value' in found))
      throw new Error(`no figure of ${bench}: ${what}`)
    return found
  }
  const peerOf = (what: string) => find(what).peer?.value ?? Number.NaN
  const aimOf = (what: string) => {
    const { aim } = find(what)
    return aim === undefined ? Number.NaN : 'atLeast' in aim ? aim.atLeast : aim.atMost
  }
  const rounded = (figureOf: (what: string) => number) => (what: string) => {
    const value = figureOf(what)
    if (Number.isNaN(value)) throw new Error(`nothing of it in ${bench}: ${what}`)
    return round(value)
  }
  return {
    at: rounded((what) => find(what).value),
    seconds: rounded((what) => find(what).value / MS_PER_S),
    peer: rounded(peerOf),
    peerSeconds: rounded((what) => peerOf(what) / MS_PER_S),
    limit: rounded((what) => find(what).limit?.value ?? Number.NaN),
    aim: rounded(aimOf),
    ratio: rounded((what) => find(what).value / peerOf(what)),
  }
}
