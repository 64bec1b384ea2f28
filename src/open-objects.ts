import { type Config, localPathOf } from './config.ts'
import { openLocalFile } from './objects/local/local-file.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectLinks } from './objects/object-links.ts'
import type { ObjectStore } from './objects/object-store.ts'
import type { WatchedStore } from './objects/object-store-watch.ts'
import { oldLocation, relocatedLinks, relocatedStore } from './objects/relocated-store.ts'
import { schemedLinks } from './objects/schemed-links.ts'
import { schemedStore } from './objects/schemed-store.ts'
import type { Opened } from './opened.ts'
import { makeFolder, requireWritableLocations } from './start-failure.ts'

const BUCKET = /^(?!file:)[a-z][a-z0-9]*:\/\/[^/]+/

/** Folders in which the service reads, and in those that are writable writes. */
interface Roots {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
}

/** All files, and the links to those in buckets. */
export interface OpenedObjects {
  readonly objects: ObjectStore
  readonly links: ObjectLinks
}

/** Opens the store of all files. Throws a `ConfigError` that names a folder it cannot use. */
export async function openObjects(
  config: Config,
  options: {
    readonly beforeNewFolder: (path: string) => Promise<void>
    readonly writableFolders: readonly string[]
    readonly threads?: LocalThreads
  },
  opened: Opened,
): Promise<OpenedObjects> {
  const { writableFolders, ...others } = options
  const path = localPathOf(config.warehouse)
  if (path !== undefined) await makeFolder(config, path)
  await requireWritableLocations(config)
  const { writableRoots, readableRoots } = rootsOf(config, 'file')
  const own = { writableRoots: [...writableRoots, ...writableFolders], readableRoots }
  const local = await openLocalStore({ ...own, ...others })
  const buckets = await openBuckets(config, opened)
  const { stores, links } = buckets
  const objects = stores.size === 0 ? local : schemedStore(local, stores)
  const { relocations } = config
  if (relocations.length === 0) return { objects, links: schemedLinks(links) }
  return {
    objects: relocatedStore(objects, relocations),
    links: relocatedLinks(schemedLinks(links), relocations),
  }
}

/** By scheme. */
interface Buckets {
  readonly stores: Map<string, ObjectStore>
  readonly links: Map<string, ObjectLinks>
}

/** The stores that are used, by scheme. Their libraries are large: each is loaded when needed. */
async function openBuckets(config: Config, opened: Opened): Promise<Buckets> {
  const { s3, gcs } = config
  const buckets: Buckets = { stores: new Map(), links: new Map() }
  const inS3 = rootsOf(config, 's3')
  if (hasAny(inS3)) {
    const { openS3Store } = await import('./objects/s3/s3-store.ts')
    const { openS3Links } = await import('./objects/s3/s3-links.ts')
    const options = { ...inS3, ...s3, openFile: openLocalFile }
    const store = opened.add(openS3Store(options), (it) => it.close())
    const links = opened.add(openS3Links(options), (it) => it.close())
    for (const scheme of ['s3', 's3a', 's3n']) {
      buckets.stores.set(scheme, store)
      buckets.links.set(scheme, links)
    }
  }
  const inGcs = rootsOf(config, 'gs')
  if (hasAny(inGcs)) {
    const { openGcsStore } = await import('./objects/gcs/gcs-store.ts')
    const { openGcsLinks } = await import('./objects/gcs/gcs-links.ts')
    const options = { ...inGcs, ...gcs, openFile: openLocalFile }
    const store = opened.add(openGcsStore(options), (it) => it.close())
    buckets.stores.set('gs', store)
    const links = opened.add(openGcsLinks(options), (it) => it.close())
    buckets.links.set('gs', links)
  }
  return buckets
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

export function hasAny({ writableRoots, readableRoots }: Roots): boolean {
  return writableRoots.length + readableRoots.length > 0
}

/** The folders of one scheme. */
export function rootsOf(
  { warehouse, writableLocations, allowedLocations }: Config,
  scheme: 'file' | 's3' | 'gs',
): Roots {
  const isOf = (root: string) => schemeOf(root) === scheme
  return {
    writableRoots: [warehouse, ...writableLocations].filter(isOf),
    readableRoots: allowedLocations.filter(isOf),
  }
}

/** A plain path is local. */
function schemeOf(root: string): string {
  return /^([a-z0-9]+):/.exec(root)?.[1] ?? 'file'
}
