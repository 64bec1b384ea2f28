import type { Stores } from '../../catalog/catalog.ts'
import { originsOf } from '../../catalog/dataset-store.ts'
import { CATALOG_SECURABLE } from '../../catalog/grant-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import { mapBounded } from '../../core/bounded.ts'
import { isBelow, locationKey } from '../../core/file/location-key.ts'
import { mayBeHiddenUuid } from '../../core/table/reserved-namespace.ts'
import type { Principal } from '../../http/authorizer.ts'
import { AllowedFiles } from '../../lake/file/allowed-files.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { BookKeeper } from './book-keeper.ts'
import { chainOf, chainOfDropped } from './grant-book.ts'
import { holds } from './key-scopes.ts'

const LOOKS_AT_ONCE = 16
const SHOWN_MAX = 1_000
const LEADS_UP = /(?:^|\/)\.\.(?:\/|$)/

export type PathRuleDependencies = Stores<'paths' | 'locations' | 'grants' | 'datasets'> &
  Pick<LakeServices, 'objects' | 'warehouse' | 'writableLocations'>

/** What the catalog knows of a path. */
interface Claims {
  readonly path: string
  /** UUIDs of the tables that name it. */
  readonly namers: readonly string[]
  /** UUIDs of the tables that may name it, for all that is known: these allow nothing. */
  readonly possible: readonly string[]
  /** UUIDs of the tables and views in whose folders it is. */
  readonly owners: readonly string[]
}

interface Reader {
  /** Whether all files that no table claims may be read, too. */
  readonly isTrusted: boolean
  has(privilege: Privilege, uuid: string): boolean | Promise<boolean>
}

/**
 * Which files a caller may name by path. One that tables name: `select` on each of them. Another
 * one in the folder of a table: `modify` on that. Others in the warehouse: nobody. Everything else
 * that may be read is free to all. What is not there is refused like what is not the caller's.
 */
export class PathRule {
  readonly #keeper: BookKeeper
  readonly #deps: PathRuleDependencies

  constructor(keeper: BookKeeper, deps: PathRuleDependencies) {
    this.#keeper = keeper
    this.#deps = deps
  }

  require(
    principal: Principal,
    paths: readonly string[],
    ownLocation?: string,
  ): Promise<void> | undefined {
    const { book } = this.#keeper
    if (paths.length === 0) return undefined
    const isTrusted = holds(book, principal, 'modify', [CATALOG_SECURABLE])
    const names = book.namesOf(principal)
    if (isTrusted && !book.isRestrictedAnywhere(names)) return undefined
    return this.#requireEach(this.#readerOf(principal, isTrusted), paths, ownLocation)
  }

  /** Asks once for each table: most files of a request have the same few. */
  #readerOf(principal: Principal, isTrusted: boolean): Reader {
    const known = new Map<string, boolean | Promise<boolean>>()
    const askDataset = async (privilege: Privilege, uuid: string): Promise<boolean> => {
      const dataset = await this.#deps.catalog.datasets.find({ tableUuid: uuid })
      if (dataset === undefined) return askTable(privilege, uuid)
      if (dataset.securable === uuid && (await askTable(privilege, uuid))) return true
      // Its rows are of all of them: a right on some opens none of its files.
      for (const each of originsOf(dataset)) {
        if (!(await askTable(privilege, each))) return false
      }
      return true
    }
    const ask = (privilege: Privilege, uuid: string) =>
      mayBeHiddenUuid(uuid) ? askDataset(privilege, uuid) : askTable(privilege, uuid)
    const askTable = async (privilege: Privilege, uuid: string): Promise<boolean> => {
      const [place] = await this.#deps.catalog.grants.findPlaces([uuid])
      // Of what is dropped, the grants on itself are kept for a while.
      const chain = place === undefined ? chainOfDropped(uuid) : chainOf(place)
      return holds(this.#keeper.book, principal, privilege, chain)
    }
    return {
      isTrusted,
      has: (privilege, uuid) => {
        const key = `${privilege} ${uuid}`
        const asked = known.get(key) ?? ask(privilege, uuid)
        known.set(key, asked)
        return asked
      },
    }
  }

  async #requireEach(
    reader: Reader,
    paths: readonly string[],
    ownLocation: string | undefined,
  ): Promise<void> {
    const { catalog, objects } = this.#deps
    const allowed = new AllowedFiles(objects)
    for (const path of paths) allowed.require(path)
    const { recorded, unkeyed: possible } = await catalog.paths.findNamers(paths)
    const unnamed = paths.filter((path) => !recorded.has(path))
    const owned = await catalog.locations.findOwners(unnamed)
    await mapBounded(paths, LOOKS_AT_ONCE, async (path) => {
      const namers = recorded.get(path) ?? []
      const owners = (owned.get(path) ?? []).map(({ tableUuid }) => tableUuid)
      const claims = { path, namers, possible, owners }
      if (!(await this.#mayRead(reader, claims, ownLocation))) throw notReadable(path)
    })
  }

  async #mayRead(
    reader: Reader,
    { path, namers, possible, owners }: Claims,
    ownLocation: string | undefined,
  ): Promise<boolean> {
    for (const uuid of [...namers, ...possible]) {
      if (!(await reader.has('select', uuid))) return false
    }
    if (namers.length > 0) return true
    for (const uuid of owners) if (!(await reader.has('modify', uuid))) return false
    if (owners.length > 0 || reader.isTrusted) return true
    const key = locationKey(path)
    if (LEADS_UP.test(key)) return false
    const isIn = (folder: string) => isBelow(folder, key)
    if (ownLocation !== undefined && isIn(ownLocation)) return true
    const { objects, warehouse, writableLocations } = this.#deps
    if ([warehouse, ...writableLocations].some(isIn)) return false
    // A hidden table may name the file outside: its refusal may not differ from that of none.
    return (await objects.find(key)) !== undefined
  }
}

function notReadable(path: string): ProblemError {
  const location = path.slice(0, SHOWN_MAX)
  const detail =
    `You may not read ${location}: nothing is there, or a table names it, or has it in its ` +
    'folder, that you lack select or modify on'
  return new ProblemError('path-not-readable', detail, { facts: { location } })
}
