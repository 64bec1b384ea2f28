import type { Catalog, Stores } from './catalog/catalog.ts'
import { type Config, localPathOf } from './config.ts'
import { isBelow } from './core/file/location-key.ts'
import { guardedDeletions } from './lake/deletion/guarded-deletions.ts'
import { guardedLocations } from './lake/table/guarded-locations.ts'
import { guardedTables } from './lake/table/guarded-tables.ts'
import type { TablePlaces } from './lake/table/table-location.ts'
import {
  type ClaimDependencies,
  claimWarehouse,
  claimWritableLocation,
  requireWarehouse,
} from './lake/table/warehouse-claim.ts'
import { storeUnusable, warehouseUnusable, writableLocationUnusable } from './start-failure.ts'

/** A folder where tables may be, and a look whether it is still there. */
interface Place {
  /** As the settings have it. */
  readonly uri: string
  /** As tables know it. */
  readonly location: string
  require(): Promise<void>
}

export interface WarehouseChecks {
  /** Throws `warehouse-unavailable` when the folder of all tables is not there. */
  requireWarehouse(): Promise<void>
  /** As `requireWarehouse`, asking the store of a bucket in any case. */
  lookForWarehouse(): Promise<void>
  /** As `requireWarehouse`, also for the writable locations outside of it. */
  requireEveryPlace(): Promise<void>
}

/** A bucket is not mounted somewhere: it is not asked again for each change. */
const BUCKET_KEPT_MS = 5_000

/** Whether the folders of tables are still there, asked before the catalog or they are changed. */
export class OwnWarehouse {
  #require: () => Promise<void> = async () => undefined
  #look: () => Promise<void> = async () => undefined
  #outside: readonly Place[] = []

  /** Throws `warehouse-unavailable`; never before the warehouse was claimed. */
  readonly require = (): Promise<void> => this.#require()

  /** As `require`, asking the store of a bucket in any case. */
  readonly look = (): Promise<void> => this.#look()

  /** As `require`, also for the places outside of the warehouse that have these tables. */
  readonly requirePlaces = async (locations: readonly string[]): Promise<void> => {
    await this.#require()
    for (const place of this.#outside) {
      if (locations.some((each) => isBelow(place.location, each))) await place.require()
    }
  }

  /** As `require`, for all places. */
  readonly requireEveryPlace = async (): Promise<void> => {
    await this.#require()
    for (const place of this.#outside) await place.require()
  }

  readonly checks: WarehouseChecks = {
    requireWarehouse: this.require,
    lookForWarehouse: this.look,
    requireEveryPlace: this.requireEveryPlace,
  }

  /** A catalog that changes nothing for folders that are not there. */
  readonly guard = (catalog: Catalog): Catalog => ({
    ...catalog,
    tables: guardedTables(catalog.tables, this.requirePlaces),
    locations: guardedLocations(catalog.locations, this.requirePlaces),
    deletions: guardedDeletions(catalog.deletions, this),
  })

  /** As `require`, for the place in which a folder is to be made. */
  readonly requireFor = async (path: string): Promise<void> => {
    const uri = `file://${path}`
    const place = this.#outside.find((each) => each.uri === uri || isBelow(each.uri, uri))
    await (place === undefined ? this.#require() : place.require())
  }

  /** Throws a `ConfigError` when catalog and folders do not belong together. */
  async claim(
    config: Config,
    deps: ClaimDependencies & Stores<'locations'> & Pick<TablePlaces, 'writableLocations'>,
    options: { readonly adopts: boolean },
  ): Promise<void> {
    const claim = await claimWarehouse(deps, options).catch((error: unknown) => {
      throw storeUnusable({ name: 'MORAINE_WAREHOUSE', value: config.warehouse }, error)
    })
    if (claim.outcome !== 'ours') throw warehouseUnusable(config, claim)
    const { warehouseId } = claim
    this.#look = () => requireWarehouse(deps, warehouseId)
    this.#require = keptFor(config.warehouse, this.#look)
    const outside: Place[] = []
    for (const [i, uri] of config.writableLocations.entries()) {
      const location = deps.writableLocations[i] ?? uri
      const claimed = claimWritableLocation(deps, location, warehouseId)
      const outcome = await claimed.catch((error: unknown) => {
        throw storeUnusable({ name: 'MORAINE_WRITABLE_LOCATIONS', value: uri }, error)
      })
      if (outcome !== 'ours') throw writableLocationUnusable(uri, outcome)
      const place = { ...deps, warehouse: location }
      const look = () => requireWarehouse(place, warehouseId, 'writable location')
      outside.push({ uri, location, require: keptFor(uri, look) })
    }
    this.#outside = outside
  }
}

/** Files are looked at each time: a disk may be gone at any moment, and a look costs little. */
function keptFor(uri: string, look: () => Promise<void>): () => Promise<void> {
  if (localPathOf(uri) !== undefined) return look
  let lookedAtMs = -Infinity
  return async () => {
    if (performance.now() - lookedAtMs < BUCKET_KEPT_MS) return
    await look()
    lookedAtMs = performance.now()
  }
}
