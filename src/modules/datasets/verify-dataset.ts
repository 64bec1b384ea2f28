import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { bindQuery } from '../../core/query/bind-query.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { TableQuery } from '../../lake/convert/converter.ts'
import { planScan } from '../../lake/scan/plan-files.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import type { OnRead } from '../rows/limits/query-limits.ts'
import { asCostly, planSources, type RowsDependencies } from '../rows/query-source.ts'
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
 * with the same delete files, and each must be there with its size.
 */
export async function verifyDataset(
  deps: VerifyDependencies,
  dataset: DatasetRecord,
  verifying: Verifying,
): Promise<Verification> {
  if (dataset.query !== undefined) return verifyQuery(deps, dataset, verifying)
  const { tableUuid, sourceUuid, snapshotId } = dataset
  const wanted = { snapshotId, signal: verifying.signal }
  const own = await filesOf(deps, await getTable(deps.catalog, tableUuid), wanted)
  const source = await deps.catalog.tables.find({ tableUuid: sourceUuid })
  const again = source && (await filesOf(deps, source, wanted))
  const differing: string[] = []
  await mapBounded([...(own ?? [])], LOOKS_AT_ONCE, async ([path, { identity, sizeBytes }]) => {
    const info = await deps.objects.find(path)
    const isSame = again === undefined || again.get(path)?.identity === identity
    if (!isSame || info?.sizeBytes !== sizeBytes) differing.push(path)
  })
  for (const path of again?.keys() ?? []) if (own?.has(path) !== true) differing.push(path)
  const isSame = differing.length === 0
  return {
    isReproduced: again === undefined && isSame ? undefined : isSame,
    files: own?.size ?? 0,
    differing: differing.slice(0, DIFFERING_MAX),
  }
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
  const readAs = currentSchema(definition)
  const restriction = 'unrestricted'
  const source = { state, snapshot, schema: readAs, restriction } as const
  const files = await planSources(deps, source, { signal })
  const query = bindQuery({}, readAs)
  return { definition, readAs, restriction, query, sources: files, read: { state, snapshot } }
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
  const isGone = error instanceof CatalogError && GONE.includes(error.code)
  if (!isGone) throw error
  return undefined
}

const GONE: readonly string[] = ['table-not-found', 'snapshot-not-found']

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
    const identity = JSON.stringify([recordCount, deleteFiles.map((each) => each.path).sort()])
    files.set(path, { identity, sizeBytes })
  }
  return files
}
