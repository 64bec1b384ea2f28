import { stat } from 'node:fs/promises'
import { type Config, localPathOf } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { newLocation, oldLocation, relocatedStore } from './objects/relocated-store.ts'
import type { RowSource } from './sources/row-source.ts'
import { requireApart } from './start-failure.ts'

interface OpenedExports {
  readonly exportsFolder: string
  readonly exportSources: ReadonlyMap<string, RowSource>
  /** Location of `EXPORT_PATH`. */
  readonly archiveTo?: string
  openArchive(place: string, beforeNewFolder: () => Promise<void>): Promise<ObjectStore>
}

/** What exports read from, and where they may write. Connects to no database. */
export async function openSources(config: Config, ambient: Ambient): Promise<OpenedExports> {
  const { exportsFolder, exportSources, exportPath, relocations } = config
  if (exportPath !== undefined) await requireApart(config, exportPath)
  const archives = {
    ...(exportPath !== undefined && {
      archiveTo: oldLocation(`file://${exportPath}`, relocations),
    }),
    openArchive: (place: string, guard: () => Promise<void>) => openArchive(config, place, guard),
  }
  if (exportSources.size === 0) return { exportsFolder, exportSources: new Map(), ...archives }
  const { PostgresSource } = await import('./sources/postgres/postgres-source.ts')
  const open = (url: string) =>
    new PostgresSource({ url, newId: ambient.newUuid, sleep: ambient.sleep })
  const sources = [...exportSources].map(([name, url]) => [name, open(url)] as const)
  return { exportsFolder, exportSources: new Map(sources), ...archives }
}

/** A store of its own: no table has a file there. Throws unless the folder is there. */
async function openArchive(
  { relocations }: Pick<Config, 'relocations'>,
  place: string,
  beforeNewFolder: () => Promise<void>,
): Promise<ObjectStore> {
  const root = newLocation(place, relocations)
  const isFolder = (await stat(localPathOf(root) ?? '')).isDirectory()
  if (!isFolder) throw new Error(`${root} is a file`)
  const store = await openLocalStore({ writableRoots: [root], readableRoots: [], beforeNewFolder })
  return relocations.length === 0 ? store : relocatedStore(store, relocations)
}
