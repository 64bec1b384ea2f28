import type { Config } from './config.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { relocatedStore } from './objects/relocated-store.ts'
import { makeFolder, requireWritableLocations } from './start-failure.ts'

/** Opens the store of all files. Throws a `ConfigError` that names a folder it cannot use. */
export async function openObjects(
  config: Config,
  options: {
    readonly beforeNewFolder: (path: string) => Promise<void>
    readonly writableFolders: readonly string[]
    readonly threads?: LocalThreads
  },
): Promise<ObjectStore> {
  const { writableFolders, ...others } = options
  await makeFolder(config, config.warehouse.slice('file://'.length))
  await requireWritableLocations(config)
  const store = await openLocalStore({
    writableRoots: [config.warehouse, ...config.writableLocations, ...writableFolders],
    readableRoots: config.allowedLocations,
    ...others,
  })
  const { relocations } = config
  return relocations.length === 0 ? store : relocatedStore(store, relocations)
}
