import type { Config } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import type { RowSource } from './sources/row-source.ts'

interface ExportPlaces {
  readonly exportsFolder: string
  readonly exportSources: ReadonlyMap<string, RowSource>
}

/** Databases that exports read from, by name. Connects to none. */
export async function openSources(
  { exportsFolder, exportSources }: Pick<Config, 'exportsFolder' | 'exportSources'>,
  ambient: Ambient,
): Promise<ExportPlaces> {
  if (exportSources.size === 0) return { exportsFolder, exportSources: new Map() }
  const { PostgresSource } = await import('./sources/postgres/postgres-source.ts')
  const open = (url: string) =>
    new PostgresSource({ url, newId: ambient.newUuid, sleep: ambient.sleep })
  const sources = [...exportSources].map(([name, url]) => [name, open(url)] as const)
  return { exportsFolder, exportSources: new Map(sources) }
}
