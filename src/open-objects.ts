import type { Config } from './config.ts'
import { localPathOf } from './config.ts'
import { readLocalFile } from './objects/local/local-file.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import type { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { relocatedStore } from './objects/relocated-store.ts'
import { schemedStore } from './objects/schemed-store.ts'
import type { Opened } from './opened.ts'
import { makeFolder, requireWritableLocations } from './start-failure.ts'

/** Folders in which the service reads, and in those that are writable writes. */
interface Roots {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
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
): Promise<ObjectStore> {
  const { writableFolders, ...others } = options
  const path = localPathOf(config.warehouse)
  if (path !== undefined) await makeFolder(config, path)
  await requireWritableLocations(config)
  const writable = [config.warehouse, ...config.writableLocations, ...writableFolders]
  const rootsOf = (isOne: (root: string) => boolean): Roots => ({
    writableRoots: writable.filter(isOne),
    readableRoots: config.allowedLocations.filter(isOne),
  })
  const local = await openLocalStore({ ...rootsOf((root) => !isInBucket(root)), ...others })
  const buckets = await openBuckets(config, rootsOf, opened)
  const store = buckets.length === 0 ? local : schemedStore(local, Object.fromEntries(buckets))
  const { relocations } = config
  return relocations.length === 0 ? store : relocatedStore(store, relocations)
}

/** The stores that are used, by scheme. Their libraries are large: each is loaded when needed. */
async function openBuckets(
  { s3, gcs }: Config,
  rootsOf: (isOne: (root: string) => boolean) => Roots,
  opened: Opened,
): Promise<[string, ObjectStore][]> {
  const stores: [string, ObjectStore][] = []
  const inS3 = rootsOf((root) => root.startsWith('s3://'))
  if (hasAny(inS3)) {
    const { openS3Store } = await import('./objects/s3/s3-store.ts')
    const store = openS3Store({ ...inS3, ...s3, readFile: readLocalFile })
    opened.add(store, (it) => it.close())
    for (const scheme of ['s3', 's3a', 's3n']) stores.push([scheme, store])
  }
  const inGcs = rootsOf((root) => root.startsWith('gs://'))
  if (hasAny(inGcs)) {
    const { openGcsStore } = await import('./objects/gcs/gcs-store.ts')
    const store = openGcsStore({ ...inGcs, ...gcs, readFile: readLocalFile })
    opened.add(store, (it) => it.close())
    stores.push(['gs', store])
  }
  return stores
}

function hasAny({ writableRoots, readableRoots }: Roots): boolean {
  return writableRoots.length + readableRoots.length > 0
}

function isInBucket(root: string): boolean {
  return /^(?:s3|gs):/.test(root)
}
