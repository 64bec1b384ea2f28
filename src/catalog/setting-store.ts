/**
 * Facts about the catalog itself, each written once, but for the generation, which
 * `DeletionStore.beginGeneration` counts up. Its contract: test/catalog/settings.contract.ts.
 */
export interface SettingStore {
  find(name: string): Promise<string | undefined>
  /** Writes the value unless the name has one. Returns the one that it has from now on. */
  keep(name: string, value: string): Promise<string>
}
