import { CatalogError } from '../core/errors.ts'
import { isBelow, locationKey } from '../core/file/location-key.ts'
import type { ObjectLinks } from './object-links.ts'
import type { ObjectStore } from './object-store.ts'

/** A folder that was moved: what is named by its old location is at the new one. */
export interface Relocation {
  readonly from: string
  readonly to: string
}

/**
 * A store in which files of moved folders keep their old names, under which tables know them. Their
 * new names are refused, so that no file has two.
 */
export function relocatedStore(
  store: ObjectStore,
  relocations: readonly Relocation[],
): ObjectStore {
  const at = (location: string): string => newLocation(location, relocations)
  const old = (location: string): string => oldLocation(location, relocations)
  const named = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw byOldName(error, relocations)
    }
  }
  return {
    putIfAbsent: (location, bytes) => named(() => store.putIfAbsent(at(location), bytes)),
    putStreamIfAbsent: (location, chunks, limits) =>
      named(() => store.putStreamIfAbsent(at(location), chunks, limits)),
    putFileIfAbsent: (location, path) => named(() => store.putFileIfAbsent(at(location), path)),
    read: (location, limits) => named(() => store.read(at(location), limits)),
    readRange: (location, offset, bytesMax) =>
      named(() => store.readRange(at(location), offset, bytesMax)),
    readTail: (location, bytesMax) =>
      named(async () => {
        const tail = await store.readTail(at(location), bytesMax)
        const isOwn = tail.location === at(location)
        return { ...tail, location: isOwn ? location : old(tail.location) }
      }),
    async *readStream(location, offset, lengthBytes, options) {
      try {
        yield* store.readStream(at(location), offset, lengthBytes, options)
      } catch (error) {
        throw byOldName(error, relocations)
      }
    },
    findLocalPath: (location) => named(() => store.findLocalPath(at(location))),
    requireReadable: (location) => store.requireReadable(at(location)),
    find: (location) =>
      named(async () => {
        const info = await store.find(at(location))
        return info && { ...info, location }
      }),
    findLinked: (locations) =>
      named(async () => {
        const linked = await store.findLinked(locations.map(at))
        if (linked === undefined) return undefined
        const { location, ownLocation } = linked
        return { location: old(location), ownLocation: ownLocation && old(ownLocation) }
      }),
    async *list(folder) {
      for await (const info of store.list(at(folder))) {
        yield { ...info, location: old(info.location) }
      }
    },
    moveIfAbsent: (from, to) => named(() => store.moveIfAbsent(at(from), at(to))),
    delete: (location, expected) => named(() => store.delete(at(location), expected)),
    deleteUnfinished: (folder, options) => named(() => store.deleteUnfinished(at(folder), options)),
    makeFolder: (folder) => named(() => store.makeFolder(at(folder))),
    deleteEmptyFolders: (folder, options) => {
      const isFree = (found: string) => options.isFree(old(found))
      return named(() => store.deleteEmptyFolders(at(folder), { ...options, isFree }))
    },
  }
}

/** The links of such a store; who has one sees where the object is now. */
export function relocatedLinks(
  links: ObjectLinks,
  relocations: readonly Relocation[],
): ObjectLinks {
  const at = (location: string): string => newLocation(location, relocations)
  return {
    canLink: (location) => links.canLink(at(location)),
    signedUrl: async (location, wish) => links.signedUrl(at(location), wish),
    join: async (parts, target, options) => {
      const moved = parts.map((part) => ({ ...part, location: at(part.location) }))
      return links.join(moved, at(target), options)
    },
  }
}

/** The same refusal, in the words of who asked. */
function byOldName(error: unknown, relocations: readonly Relocation[]): unknown {
  if (!(error instanceof CatalogError) || error.code === 'location-not-allowed') return error
  const told = (text: string) =>
    relocations.reduce((so, { from, to }) => so.replaceAll(`${to}/`, `${from}/`), text)
  const facts = Object.entries(error.facts).map(([key, value]) => [
    key,
    typeof value === 'string' ? told(value) : value,
  ])
  return new CatalogError(error.code, told(error.message), {
    facts: Object.fromEntries(facts),
    cause: error.cause,
  })
}

/** The name of a place before it was moved, under which it is served; or the place itself. */
export function oldLocation(location: string, relocations: readonly Relocation[]): string {
  const moved = relocations.find(({ to }) => isAtOrBelow(to, location))
  return moved === undefined ? location : replaced(location, moved.to, moved.from)
}

/** Where that place is now. */
export function newLocation(location: string, relocations: readonly Relocation[]): string {
  const moved = relocations.find(({ from }) => isAtOrBelow(from, location))
  if (moved !== undefined) return replaced(location, moved.from, moved.to)
  const old = oldLocation(location, relocations)
  if (old === location) return location
  throw new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${location.slice(0, 200)}: while MORAINE_RELOCATED is set, ` +
      `it is served as ${old.slice(0, 200)}`,
    { facts: { location: location.slice(0, 200), servedAs: old.slice(0, 200) } },
  )
}

function isAtOrBelow(folder: string, location: string): boolean {
  return isBelow(folder, location) || locationKey(location) === locationKey(folder)
}

/** Verbatim after the folder where it is spelled as configured, else by the key. */
function replaced(location: string, from: string, to: string): string {
  const spelled = location === from || location.startsWith(`${from}/`)
  if (spelled) return to + location.slice(from.length)
  return to + locationKey(location).slice(locationKey(from).length)
}
