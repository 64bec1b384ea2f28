import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import { statisticsPaths } from '../../lake/deletion/named-files.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { everyTable } from '../../lake/table/every-table.ts'

const TRANSACTIONS_PAGE = 100

/** A file without which a table is not whole. */
export interface NamedFile {
  readonly location: string
  /** Whether it was tried and is not there. */
  readonly isMissing: boolean
}

type Manifests = Pick<LakeServices, 'manifests'>

/**
 * Files of all tables in all of their snapshots, and those that open transactions have staged; one
 * that several name may come again.
 */
export async function* namedFiles(
  deps: Manifests,
  catalog: Pick<Catalog, 'tables' | 'snapshots' | 'transactions'>,
): AsyncIterable<NamedFile> {
  for await (const { tableUuid } of everyTable({ catalog })) {
    yield* filesOfTable(deps, catalog, tableUuid)
  }
  yield* stagedFiles(catalog)
}

/** Those of transactions that can still be committed, or whose files are yet to be swept. */
async function* stagedFiles({ transactions }: Pick<Catalog, 'transactions'>) {
  const query = { beforeMs: Number.MAX_SAFE_INTEGER, limit: TRANSACTIONS_PAGE }
  for (let after = ''; ; ) {
    const ids = await transactions.listExpired({ ...query, after })
    for (const id of ids) {
      for (const { addedFiles } of await transactions.listStaged(id)) {
        for (const { dataFile } of addedFiles) yield there(dataFile.path)
      }
    }
    const last = ids.at(-1)
    if (last === undefined || ids.length < TRANSACTIONS_PAGE) return
    after = last
  }
}

async function* filesOfTable(
  deps: Manifests,
  catalog: Pick<Catalog, 'tables' | 'snapshots'>,
  tableUuid: string,
): AsyncIterable<NamedFile> {
  const state = await catalog.tables.find({ tableUuid })
  if (state?.metadataLocation !== undefined) yield there(state.metadataLocation)
  for (const path of state === undefined ? [] : statisticsPaths(state.definition)) yield there(path)
  const seen = new Set<string>()
  for await (const snapshots of catalog.snapshots.read(tableUuid)) {
    for (const { manifestList } of snapshots) yield* filesOfList(deps, manifestList, seen)
  }
}

async function* filesOfList(
  { manifests }: Manifests,
  manifestList: string,
  seen: Set<string>,
): AsyncIterable<NamedFile> {
  const files = await unlessMissing(manifests.getManifestList(manifestList))
  yield { location: manifestList, isMissing: files === undefined }
  for (const file of files ?? []) {
    if (seen.has(file.path)) continue
    seen.add(file.path)
    if (liveFilesCount(file) === 0) {
      yield there(file.path)
      continue
    }
    const manifest = await unlessMissing(manifests.getManifest(file))
    yield { location: file.path, isMissing: manifest === undefined }
    for (let i = 0; i < (manifest?.entryCount ?? 0); i++) {
      if (manifest?.isLive(i)) yield there(manifest.path(i))
    }
  }
}

function there(location: string): NamedFile {
  return { location, isMissing: false }
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof CatalogError && MISSING_CODES.includes(error.code)) return undefined
    throw error
  }
}

const MISSING_CODES: readonly string[] = ['file-not-found', 'data-file-missing']
