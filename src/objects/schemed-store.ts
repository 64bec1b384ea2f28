import { byScheme } from './by-scheme.ts'
import type { ObjectStore } from './object-store.ts'
import { missingFile } from './store-errors.ts'

/** One store of several: each location is in that of its scheme, or else in the local one. */
export function schemedStore(
  local: ObjectStore,
  buckets: ReadonlyMap<string, ObjectStore>,
): ObjectStore {
  const inBucket = byScheme(buckets)
  const of = (location: string): ObjectStore => inBucket(location) ?? local
  return {
    requireReadable: (location) => of(location).requireReadable(location),
    putIfAbsent: async (location, bytes) => of(location).putIfAbsent(location, bytes),
    putStreamIfAbsent: async (location, chunks, limits) =>
      of(location).putStreamIfAbsent(location, chunks, limits),
    putFileIfAbsent: async (location, path) => of(location).putFileIfAbsent(location, path),
    read: async (location, limits) => of(location).read(location, limits),
    readStream: (location, offset, lengthBytes, options) =>
      of(location).readStream(location, offset, lengthBytes, options),
    findLocalPath: async (location) => of(location).findLocalPath(location),
    readRange: async (location, offset, bytesMax) =>
      of(location).readRange(location, offset, bytesMax),
    readTail: async (location, bytesMax) => of(location).readTail(location, bytesMax),
    find: async (location) => of(location).find(location),
    // Only the local store has links.
    findLinked: async (locations) =>
      local.findLinked(locations.filter((location) => of(location) === local)),
    list: (folder) => of(folder).list(folder),
    moveIfAbsent: async (from, to) => {
      const [source, target] = [of(from), of(to)]
      if (source === target) return source.moveIfAbsent(from, to)
      return moveBetween(source, target, { from, to })
    },
    delete: async (location, expected) => of(location).delete(location, expected),
    deleteUnfinished: async (folder, options) => of(folder).deleteUnfinished(folder, options),
    makeFolder: async (folder) => of(folder).makeFolder(folder),
    deleteEmptyFolders: async (folder, options) => of(folder).deleteEmptyFolders(folder, options),
  }
}

async function moveBetween(
  source: ObjectStore,
  target: ObjectStore,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<'moved' | 'already-exists'> {
  const { sizeBytes, version } = (await source.find(from)) ?? missing(from)
  const chunks = source.readStream(from, 0, sizeBytes, { version, isWhole: true })
  const { outcome } = await target.putStreamIfAbsent(to, chunks, {
    bytesMax: sizeBytes,
    sizeBytes,
  })
  if (outcome === 'already-exists') return outcome
  await source.delete(from, { version })
  return 'moved'
}

function missing(location: string): never {
  throw missingFile(location)
}
