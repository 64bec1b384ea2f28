/**
 * Every path that a table may have referenced at any time: data files, manifests, manifest lists,
 * statistics, metadata files that it was registered with. Hashes of keys (`locationKey`) are
 * compared, so any spelling is found, and a path may be reported wrongly in one case of 2^64; one
 * that is not reported is certainly new. Creations and commits of tables add them (`TableStore`).
 * Its contract: test/catalog/paths.contract.ts.
 */
export interface PathStore {
  /** Which of these paths the table may have referenced: all of them, while it is unkeyed. */
  findKnown(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>
  /** Which of these paths the table has referenced: of an unkeyed one, those that have keys. */
  findRecorded(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>
  /** The tables that have referenced each of these paths, and those that may have, whichever. */
  findNamers(paths: readonly string[]): Promise<PathNamers>
  /** For each of these paths that tables may have referenced, these tables. */
  findTables(paths: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>
  /**
   * For each of these paths that dropped tables have referenced, these tables: those that were
   * dropped without a purge, until they come back or their last location is given to others.
   */
  findDropped(paths: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>
  /**
   * The beginnings of the SHA-256 of the footers that these files had when the table's newest
   * commits added them, as 32 hexadecimal digits: of those that were read then.
   */
  findFooters(tableUuid: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Where these paths are staged, in transactions that are open and have not expired. */
  findStaged(query: {
    readonly paths: readonly string[]
    readonly nowMs: number
  }): Promise<readonly StagedPath[]>
  /**
   * Tables of an older catalog, or rebuilt without some files, which may reference any path until
   * theirs are all known by keys.
   */
  listUnkeyed(limit: number): Promise<readonly string[]>
  /** Makes paths of an unkeyed table known by their keys. */
  addKeys(tableUuid: string, paths: readonly string[]): Promise<void>
  /** All that this version of the table references is known by keys; or the table has changed. */
  endKeying(tableUuid: string, version: number): Promise<'ended' | 'changed'>
  /**
   * Forgets the paths of tables that are gone, or were never made, some at a time: what a process
   * that was killed has left of a drop, or of a creation. One under way begins again. Returns of
   * how many tables.
   */
  forgetLeftovers(): Promise<number>
}

export interface PathNamers {
  /** UUIDs by path. */
  readonly recorded: ReadonlyMap<string, readonly string[]>
  /** UUIDs of the unkeyed tables: each may reference any path. */
  readonly unkeyed: readonly string[]
}

export interface StagedPath {
  readonly path: string
  readonly tableUuid: string
  readonly transactionId: string
}
