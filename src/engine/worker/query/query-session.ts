import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import type { QueryTable, ResultPart } from '../../engine.ts'
import { hasDeletes, type TaskPlace } from '../export/export-job.ts'
import { isOutOfMemory, OutOfMemoryError } from '../sql/failure.ts'
import { enterFolder, inKeptFolder, withKeptSession } from '../sql/kept-sessions.ts'
import { type SessionTrust, withSession } from '../sql/session.ts'

/** Files of a query that is likely to be over before a DuckDB would have been made for it. */
const KEPT_FILES_MAX = 64
/** What takes more memory than there is fails soon, and is done again from the start. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024

/** Where a query is run, and with what DuckDB. */
export interface QueryPlace extends TaskPlace {
  /** Gets the files that are linked into the folder. */
  readonly linkedPaths: string[]
  readonly isKept: boolean
}

/**
 * Runs a query: one of a few whole files in a DuckDB that is kept, and, if that has too little
 * memory, once more in one of its own, which may spill.
 */
export async function inQueryPlace<T>(
  job: { readonly tables: readonly QueryTable[]; readonly part?: ResultPart | undefined },
  { linkedPaths, ...place }: Omit<QueryPlace, 'isKept'>,
  work: (place: QueryPlace) => Promise<T>,
): Promise<T> {
  if (isKeepable(job)) {
    try {
      return await inKeptFolder(place.folder, (folder) =>
        work({ ...place, folder, linkedPaths, isKept: true }),
      )
    } catch (error) {
      // A refusal may have the very words of the user.
      const isRefusal = error instanceof CatalogError && !(error instanceof OutOfMemoryError)
      if (isRefusal || !isOutOfMemory(error)) throw error
      linkedPaths.length = 0
    }
  }
  enterFolder(place.folder)
  return await work({ ...place, linkedPaths, isKept: false })
}

/** What is restricted, or needs to be prepared, has a DuckDB of its own. */
function isKeepable({ tables, part }: Parameters<typeof inQueryPlace>[0]): boolean {
  if (part === undefined || tables.some(({ restriction }) => restriction !== undefined)) {
    return false
  }
  const sources = tables.flatMap((table) => table.sources)
  if (sources.length > KEPT_FILES_MAX || sources.some((source) => hasDeletes(source))) return false
  const bytes = sources.reduce(
    (sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
  return bytes <= KEPT_BYTES_MAX
}

/**
 * A session of the place. With `own` statements, which name no files but the linked ones, one that
 * is kept may read the folders of these; with those of a user, just the files.
 */
export async function withQuerySession<T>(
  place: QueryPlace,
  { trust, statements }: { readonly trust: SessionTrust; readonly statements: 'own' | "user's" },
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { folder, linkedPaths, memoryBytes, isKept } = place
  if (!isKept) return await withSession({ ...place, trust }, use)
  const paths = [...new Set(linkedPaths.map((path) => realpathSync.native(path)))]
  const isOwn = statements === 'own'
  const read = isOwn
    ? { directories: [folder, ...new Set(paths.map((path) => dirname(path)))], paths: [] }
    : { directories: [folder], paths }
  return await withKeptSession({ memoryBytes, trust, ...read }, use)
}
