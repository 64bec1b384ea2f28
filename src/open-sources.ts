import { type Config, ConfigError, shown } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { ObjectStore } from './objects/object-store.ts'
import type { RowSource } from './sources/row-source.ts'

interface ExportPlaces {
  readonly exportsFolder: string
  readonly exportSources: ReadonlyMap<string, RowSource>
  /** A folder of their own for archived files: tables have none of it. */
  readonly exported?: { readonly objects: ObjectStore; readonly root: string }
}

/** What exports read from, and where they write. Connects to none of the databases. */
export async function openSources(config: Config, ambient: Ambient): Promise<ExportPlaces> {
  const { exportsFolder, exportedFolder, exportSources } = config
  const exported =
    exportedFolder === undefined ? {} : { exported: await openFolder(exportedFolder) }
  const places = { exportsFolder, ...exported }
  if (exportSources.size === 0) return { ...places, exportSources: new Map() }
  const { PostgresSource } = await import('./sources/postgres/postgres-source.ts')
  const open = (url: string) =>
    new PostgresSource({ url, newId: ambient.newUuid, sleep: ambient.sleep })
  const sources = [...exportSources].map(([name, url]) => [name, open(url)] as const)
  return { ...places, exportSources: new Map(sources) }
}

async function openFolder(path: string) {
  const root = `file://${path}`
  try {
    return { objects: await openLocalStore({ writableRoots: [root], readableRoots: [] }), root }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'no folder can be made there'
    const remedy = 'give a folder that the service may write to'
    throw new ConfigError(`EXPORT_PATH=${shown(path)} cannot be used: ${why}; ${remedy}`, { cause })
  }
}
