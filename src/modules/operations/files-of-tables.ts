import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { everyTable } from '../../lake/table/every-table.ts'

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
  for await (const { tableUuid } of everyTable({ catalog })) {
    yield* filesOfTable(deps, catalog, tableUuid)
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
