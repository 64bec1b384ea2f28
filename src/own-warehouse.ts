import type { Config } from './config.ts'
import {
  type ClaimDependencies,
  claimWarehouse,
  requireWarehouse,
} from './lake/table/warehouse-claim.ts'
import { warehouseUnusable } from './start-failure.ts'

/** Whether the warehouse is still there, asked before the catalog or the folder is changed. */
export class OwnWarehouse {
  #require: () => Promise<void> = async () => undefined

  /** Throws `warehouse-unavailable`; never before the warehouse was claimed. */
  readonly require = (): Promise<void> => this.#require()

  /** Throws a `ConfigError` when catalog and warehouse do not belong together. */
  async claim(
    config: Config,
    deps: ClaimDependencies,
    options: { readonly adopts: boolean },
  ): Promise<void> {
    const claim = await claimWarehouse(deps, options)
    if (claim.outcome !== 'ours') throw warehouseUnusable(config, claim)
    this.#require = () => requireWarehouse(deps, claim.warehouseId)
  }
}
