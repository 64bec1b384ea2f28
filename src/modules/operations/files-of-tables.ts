import type { Catalog } from '../../catalog/catalog.ts'
import type { TableSummary } from '../../catalog/table-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import type { LakeServices } from '../../lake/lake.ts'

const TABLES_PAGE = 100

/** A file without which a table is not whole. */
export interface NamedFile {
  readonly location: string
  /** Whether it was tried and is not there. */
  readonly isMissing: boolean
}

type Manifests = Pick<LakeServices, 'manifests'>

/** Files of all tables in all of their snapshots; one that several name may come again. */
export async function* namedFiles(
  deps: Manifests,
  catalog: Pick<Catalog, 'tables' | 'snapshots'>,
): AsyncIterable<NamedFile> {
  let after: TableSummary | undefined
  for (;;) {
    const page = await catalog.tables.list({ limit: TABLES_PAGE, ...(after && { after }) })
    for (const { tableUuid } of page) yield* filesOfTable(deps, catalog, tableUuid)
    after = page.at(-1)
    if (page.length < TABLES_PAGE) return
  }
}

async function* filesOfTable(
  deps: Manifests,
  catalog: Pick<Catalog, 'tables' | 'snapshots'>,
  tableUuid: string,
): AsyncIterable<NamedFile> {
  const { metadataLocation } = (await catalog.tables.find({ tableUuid })) ?? {}
  if (metadataLocation !== undefined) yield there(metadataLocation)
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
