import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CodedError } from '../../core/errors.ts'
import { bindQuery } from '../../core/query/bind-query.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { TableQuery } from '../../lake/convert/converter.ts'
import { columnsDigest } from '../../lake/file/columns-digest.ts'
import { planScan } from '../../lake/scan/plan-files.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import type { OnRead } from '../rows/limits/query-limits.ts'
import {
  asCostly,
  planSources,
  type QuerySource,
  type RowsDependencies,
} from '../rows/query-source.ts'
import { type DatasetRows, queryOfDataset } from './query-dataset.ts'
import { sqlOf, sqlQueryOfDataset } from './sql-query.ts'

export type VerifyDependencies = RowsDependencies

export interface Verification {
  /** `undefined`: the source has not the snapshot any more, so that nothing can be run again. */
  readonly isReproduced: boolean | undefined
  /** Data files that were looked at, and those among them that are not as they were. */
  readonly files: number
  readonly differing: readonly string[]
}

interface Verifying {
  readonly signal: AbortSignal
  readonly onRead: OnRead
}

/** How many of the files that differ are told. */
export const DIFFERING_MAX = 100
const LOOKS_AT_ONCE = 16

/**
 * Takes the snapshot of the source again: it must have the very data files that the dataset has,
 * with the same delete files, and each must be there with its size. Where the source finds columns
 * by other names by now, the rows are compared.
 */
export async function verifyDataset(
  deps: VerifyDependencies,
  dataset: DatasetRecord,
  verifying: Verifying,
): Promise<Verification> {
  if (dataset.query !== undefined) return verifyQuery(deps, dataset, verifying)
  const { tableUuid, sourceUuid, snapshotId } = dataset
  const wanted = { snapshotId, signal: verifying.signal }
  const table = await getTable(deps.catalog, tableUuid)
  const own = await filesOf(deps, table, wanted)
  const source = await deps.catalog.tables.find({ tableUuid: sourceUuid })
  const again = source && (await filesOf(deps, source, wanted))
  const differing: string[] = []
  await mapBounded([...(own ?? [])], LOOKS_AT_ONCE, async ([path, { identity, sizeBytes }]) => {
    const info = await deps.objects.find(path)
    const isSame = again === undefined || again.get(path)?.identity === identity
    if (!isSame || info?.sizeBytes !== sizeBytes) differing.push(path)
  })
  for (const path of again?.keys() ?? []) if (own?.has(path) !== true) differing.push(path)
  const isWhole = differing.length === 0
  const sources = { table, source: again && source }
  const areRowsSame = isWhole ? await haveSameRows(deps, dataset, { ...sources, verifying }) : false
  if (isWhole && areRowsSame === false) differing.push(...(own?.keys() ?? []))
  return {
    isReproduced: areRowsSame,
    files: own?.size ?? 0,
    differing: differing.slice(0, DIFFERING_MAX),
  }
}

interface Verified {
  readonly table: TableState
  readonly source: TableState | undefined
  readonly verifying: Verifying
}

/** Their files are the same. `undefined` if the source has not the snapshot, or not its schema. */
async function haveSameRows(
  deps: VerifyDependencies,
  dataset: DatasetRecord,
  { table, source, verifying }: Verified,
): Promise<boolean | undefined> {
  const { snapshotId, facts } = dataset
  const schema = source?.definition.schemas.find((each) => each.schemaId === facts.schemaId)
  if (source === undefined || schema === undefined) return undefined
  const own = currentSchema(table.definition)
  const digests = [columnsDigest(table.definition, own), columnsDigest(source.definition, schema)]
  if (digests[0] === digests[1]) return true
  const held: string[] = []
  for (const [state, readAs] of [
    [table, own],
    [source, schema],
  ] as const) {
    const snapshot = await deps.catalog.snapshots.find(state.definition.tableUuid, snapshotId)
    const rows = await allRows(deps, { state, snapshot, schema: readAs }, verifying)
    held.push(await digestHeld(deps, dataset, rows, verifying))
  }
  return held[0] === held[1]
}

/** Runs the query again: it must give the very rows of the dataset, in their order. */
async function verifyQuery(
  deps: VerifyDependencies,
  dataset: DatasetRecord,
  verifying: Verifying,
): Promise<Verification> {
  const again = await digestAgain(deps, dataset, verifying).catch(unlessGone)
  const all = await rowsOf(deps, dataset, verifying)
  const isReproduced =
    again === undefined ? undefined : again === (await digestHeld(deps, dataset, all, verifying))
  const paths = all.sources.map(({ dataFile }) => dataFile.path)
  return { isReproduced, files: paths.length, differing: isReproduced === false ? paths : [] }
}

type Digested = Pick<VerifyDependencies, 'converter' | 'holds'>

async function digestAgain(
  deps: VerifyDependencies,
  dataset: DatasetRecord,
  verifying: Verifying,
): Promise<string> {
  const text = sqlOf(dataset)
  if (text === undefined) {
    return digestHeld(deps, dataset, await queryOfDataset(deps, dataset, verifying), verifying)
  }
  const { reads, asked } = await sqlQueryOfDataset(deps, text, verifying)
  return deps.holds.during(readerOf(dataset), reads, (held) => {
    const wish = { ...asked(held), format: 'csv', ...verifying } as const
    return asCostly(() => deps.converter.querySql(wish, (_result, path) => digestOfFile(path)))
  })
}

function digestHeld(
  deps: Digested,
  dataset: DatasetRecord,
  rows: DatasetRows,
  verifying: Verifying,
): Promise<string> {
  return deps.holds.during(readerOf(dataset), [rows.read], (held) =>
    digestOf(deps, rows, { held, ...verifying }),
  )
}

function readerOf({ name }: DatasetRecord) {
  return { kind: 'dataset', name } as const
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

/** All rows of the hidden table. */
async function rowsOf(
  deps: VerifyDependencies,
  { tableUuid }: DatasetRecord,
  { signal }: Pick<Verifying, 'signal'>,
): Promise<DatasetRows> {
  const state = await getTable(deps.catalog, tableUuid)
  const { definition, currentSnapshot: snapshot } = state
  return await allRows(deps, { state, snapshot, schema: currentSchema(definition) }, { signal })
}

async function allRows(
  deps: VerifyDependencies,
  read: Omit<QuerySource, 'restriction'>,
  { signal }: Pick<Verifying, 'signal'>,
): Promise<DatasetRows> {
  const restriction = 'unrestricted'
  const { state, schema: readAs } = read
  const files = await planSources(deps, { ...read, restriction }, { signal })
  const query = bindQuery({}, readAs)
  const { definition } = state
  return { definition, readAs, restriction, query, sources: files, read }
}

/** SHA-256 of the rows as CSV. */
async function digestOf(
  { converter }: Digested,
  { read: _, ...rows }: DatasetRows,
  reading: Pick<TableQuery, 'held' | 'signal' | 'onRead'>,
): Promise<string> {
  const wish = { ...rows, ...reading, format: 'csv', runsAs: 'conversion' } as const
  return converter.query(wish, (_result, path) => digestOfFile(path))
}

function unlessGone(error: unknown): undefined {
  const isGone = error instanceof CodedError && GONE.includes(error.code)
  if (!isGone) throw error
  return undefined
}

/** The last where the schema of the source is. */
const GONE: readonly string[] = ['table-not-found', 'snapshot-not-found', 'dataset-source-changed']

/** By path; `undefined` if the table has not the snapshot. */
async function filesOf(
  deps: VerifyDependencies,
  state: TableState,
  { snapshotId, signal }: Pick<Verifying, 'signal'> & { readonly snapshotId: bigint },
) {
  const snapshot = await deps.catalog.snapshots.find(state.definition.tableUuid, snapshotId)
  if (snapshot === undefined) return undefined
  const plan = await planScan(deps, state, {
    ...{ snapshot, schema: currentSchema(state.definition), signal },
  })
  const files = new Map<string, { readonly identity: string; readonly sizeBytes: number }>()
  for (const { dataFile, deleteFiles } of plan.plannedFiles([])) {
    const { path, recordCount, fileSizeBytes: sizeBytes } = dataFile
    const deletes = deleteFiles.map((each) => [each.path, each.contentOffset].join())
    // A snapshot may list a file twice.
    const others = files.get(path)?.identity ?? ''
    files.set(path, { identity: others + [recordCount, ...deletes.sort()].join('\0'), sizeBytes })
  }
  return files
}
