import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Catalog } from './catalog/catalog.ts'
import { type Config, ConfigError, localPathOf, shown } from './config.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { openObjects } from './open-objects.ts'
import { Opened } from './opened.ts'
import { catalogUnusable } from './start-failure.ts'

/** The copy of the catalog in the folder of a backup. */
const COPY_NAMES = { sqlite: 'catalog.db', postgres: 'catalog.dump' } as const

/** The files of a folder, which is made if missing; the caller closes nothing. */
export function openFolder(path: string): Promise<ObjectStore> {
  return openLocalStore({ writableRoots: [path], readableRoots: [] })
}

/** The files of the warehouse, which may be in a bucket; the caller closes nothing. */
export async function openWarehouse(config: Config): Promise<ObjectStore> {
  const path = localPathOf(config.warehouse)
  if (path !== undefined) return openFolder(path)
  const options = { beforeNewFolder: async () => undefined, writableFolders: [] }
  const { objects } = await openObjects(config, options, new Opened())
  return objects
}

/** Copies the catalog of this moment into the folder. Throws a `ConfigError` that says why not. */
export async function copyCatalog(
  config: Config,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<void> {
  const to = join(folder, COPY_NAMES[config.catalog.kind])
  try {
    if (config.catalog.kind === 'postgres') {
      const { dumpPostgres } = await import('./catalog/postgres/postgres-copy.ts')
      await dumpPostgres(config.catalog.url, { to, signal })
    } else {
      const { copySqlite } = await import('./catalog/sqlite/sqlite-copy.ts')
      await copySqlite({ from: config.catalog.path, to })
    }
  } catch (error) {
    signal.throwIfAborted()
    throw catalogUnusable(config, error)
  }
}

/** What `copyCatalog` made, to be read and closed; `undefined` where only a server can read it. */
export async function openCopiedCatalog(
  { catalog }: Config,
  folder: string,
): Promise<Catalog | undefined> {
  if (catalog.kind === 'postgres') return undefined
  const { openSqliteCatalog } = await import('./catalog/sqlite/sqlite.ts')
  return openSqliteCatalog({ path: join(folder, COPY_NAMES.sqlite) })
}

/** Loads the copy of a backup where no catalog is yet. */
export async function restoreCatalog(config: Config, folder: string): Promise<void> {
  const from = join(folder, COPY_NAMES[config.catalog.kind])
  try {
    if (config.catalog.kind === 'postgres') {
      const { restorePostgres } = await import('./catalog/postgres/postgres-copy.ts')
      await restorePostgres(config.catalog.url, from)
    } else {
      const { restoreSqlite } = await import('./catalog/sqlite/sqlite-copy.ts')
      await restoreSqlite({ from, to: config.catalog.path })
    }
  } catch (error) {
    // Somebody else may have been faster; what is there is then theirs alone.
    await requireVacant(config)
    throw catalogUnusable(config, error)
  }
}

/**
 * Whether there is a catalog. None is made, as opening one would. Throws a `ConfigError` that says
 * why a database cannot be asked.
 */
export async function hasCatalog(config: Config): Promise<boolean> {
  return (await whatIsThere(config)) === 'catalog'
}

/**
 * Throws a `ConfigError` unless the catalog can be restored to a place that has none: asked before
 * anything is written.
 */
export async function requireRestorable(config: Config, folder: string): Promise<void> {
  const { catalog } = config
  const name = COPY_NAMES[catalog.kind]
  const copy = await stat(join(folder, name)).catch(() => undefined)
  if (copy === undefined) {
    const other = catalog.kind === 'sqlite' ? 'PostgreSQL' : 'SQLite'
    throw new ConfigError(
      `MORAINE_CATALOG cannot take this backup: it has no ${name}, so its catalog was ${other}; ` +
        `give a catalog in ${other}`,
    )
  }
  await requireVacant(config)
  if (catalog.kind === 'sqlite') return
  const { requireReadableDump } = await import('./catalog/postgres/postgres-copy.ts')
  await requireReadableDump(join(folder, name)).catch((error: unknown) => {
    throw catalogUnusable(config, error)
  })
}

async function requireVacant(config: Config): Promise<void> {
  const { catalog } = config
  const found = await whatIsThere(config)
  if (found === 'empty') return
  const value = catalog.kind === 'sqlite' ? `sqlite:${catalog.path}` : shown(catalog.url)
  const cause = found === 'catalog' ? 'a catalog is there already' : 'that database is not empty'
  const remedy =
    catalog.kind === 'sqlite'
      ? 'stop the service and move that file away, or give the path of a new one'
      : 'stop the services and drop that database, or give a new, empty one'
  throw new ConfigError(`MORAINE_CATALOG=${value} cannot take this backup: ${cause}; ${remedy}`)
}

async function whatIsThere(config: Config): Promise<'catalog' | 'other' | 'empty'> {
  const { catalog } = config
  if (catalog.kind === 'sqlite') {
    const found = await stat(catalog.path).catch(() => undefined)
    return found === undefined ? 'empty' : 'catalog'
  }
  const { lookIntoPostgres } = await import('./catalog/postgres/postgres-copy.ts')
  return await lookIntoPostgres(catalog.url).catch((error: unknown) => {
    throw catalogUnusable(config, error)
  })
}
