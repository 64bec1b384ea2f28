import { type Config, localPathOf } from './config.ts'
import type { WatchedStore } from './modules/operations/store-health.ts'
import { readLocalFile } from './objects/local/local-file.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { oldLocation, relocatedStore } from './objects/relocated-store.ts'
import { schemedStore } from './objects/schemed-store.ts'
import type { Opened } from './opened.ts'
import { makeFolder, requireWritableLocations } from './start-failure.ts'

const BUCKET = /^(?!file:)[a-z][a-z0-9]*:\/\/[^/]+/

/** Folders in which the service reads, and in those that are writable writes. */
interface Roots {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
}

/** The roots of one scheme. */
type RootsOf = (scheme: 'file' | 's3' | 'gs') => Roots

/** Opens the store of all files. Throws a `ConfigError` that names a folder it cannot use. */
export async function openObjects(
  config: Config,
  options: {
    readonly beforeNewFolder: (path: string) => Promise<void>
    readonly writableFolders: readonly string[]
    readonly threads?: LocalThreads
  },
  opened: Opened,
): Promise<ObjectStore> {
  const { writableFolders, ...others } = options
  const path = localPathOf(config.warehouse)
  if (path !== undefined) await makeFolder(config, path)
  await requireWritableLocations(config)
  const writable = [config.warehouse, ...config.writableLocations, ...writableFolders]
  const rootsOf: RootsOf = (scheme) => ({
    writableRoots: writable.filter((root) => schemeOf(root) === scheme),
    readableRoots: config.allowedLocations.filter((root) => schemeOf(root) === scheme),
  })
  const local = await openLocalStore({ ...rootsOf('file'), ...others })
  const buckets = await openBuckets(config, rootsOf, opened)
  const store = buckets.size === 0 ? local : schemedStore(local, buckets)
  const { relocations } = config
  return relocations.length === 0 ? store : relocatedStore(store, relocations)
}

/** The stores that are used, by scheme. Their libraries are large: each is loaded when needed. */
async function openBuckets(
  { s3, gcs }: Config,
  rootsOf: RootsOf,
  opened: Opened,
): Promise<ReadonlyMap<string, ObjectStore>> {
  const stores = new Map<string, ObjectStore>()
  const inS3 = rootsOf('s3')
  if (hasAny(inS3)) {
    const { openS3Store } = await import('./objects/s3/s3-store.ts')
    const options = { ...inS3, ...s3, readFile: readLocalFile }
    const store = opened.add(openS3Store(options), (it) => it.close())
    for (const scheme of ['s3', 's3a', 's3n']) stores.set(scheme, store)
  }
  const inGcs = rootsOf('gs')
  if (hasAny(inGcs)) {
    const { openGcsStore } = await import('./objects/gcs/gcs-store.ts')
    const store = openGcsStore({ ...inGcs, ...gcs, readFile: readLocalFile })
    stores.set(
      'gs',
      opened.add(store, (it) => it.close()),
    )
  }
  return stores
}

/** Each bucket in use; `requireWarehouse` asks that of the warehouse. */
export function watchedStores(
  { warehouse, writableLocations, allowedLocations, relocations }: Config,
  objects: Pick<ObjectStore, 'list'>,
  requireWarehouse: () => Promise<void>,
): readonly WatchedStore[] {
  const stores = new Map<string, WatchedStore>()
  const add = (uri: string, isNeeded: boolean, look: () => Promise<void>) => {
    const name = BUCKET.exec(uri)?.[0]
    if (name !== undefined && !stores.has(name)) stores.set(name, { name, isNeeded, look })
  }
  const listFirst = (uri: string) => async () => {
    for await (const _ of objects.list(oldLocation(uri, relocations))) break
  }
  add(warehouse, true, requireWarehouse)
  for (const uri of writableLocations) add(uri, true, listFirst(uri))
  for (const uri of allowedLocations) add(uri, false, listFirst(uri))
  return [...stores.values()]
}

function hasAny({ writableRoots, readableRoots }: Roots): boolean {
  return writableRoots.length + readableRoots.length > 0
}

/** A plain path is local. */
function schemeOf(root: string): string {
  return /^([a-z0-9]+):/.exec(root)?.[1] ?? 'file'
}
