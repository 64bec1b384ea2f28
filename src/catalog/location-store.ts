/** A folder that holds files of a table. A table that was moved has several. */
export interface PlaceOfTable {
  readonly tableUuid: string
  /** Verbatim. */
  readonly location: string
}

export interface TableLocation extends PlaceOfTable {
  /** Whether the table is dropped; its files may be there all the same. A view never is. */
  readonly isDropped: boolean
  /**
   * Whether a dropped table said that its files are nobody's to delete (`gc.enabled`), or it is
   * the folder of a view.
   */
  readonly keepsFiles: boolean
}

/**
 * Locations of all tables, living and dropped, and folders of living views, compared by
 * `folderKey`. Creations and commits of tables and views add them, so that no two share one or lie
 * within each other; of catalogs older than this store, they may. Its contract:
 * test/catalog/locations.contract.ts.
 */
export interface LocationStore {
  /** Locations equal to this one, above it or below it, in no order; at most `limit`. */
  findOverlapping(location: string, limit: number): Promise<readonly TableLocation[]>
  /** For each path that lies below locations of tables, these; the innermost last. */
  findOwners(paths: readonly string[]): Promise<ReadonlyMap<string, readonly TableLocation[]>>
  /** Version of the dropped table or view of this UUID: if it comes back, it has a higher one. */
  findLastVersion(uuid: string): Promise<number | undefined>
  /** Adds the location of a dropped table; does nothing if it is there. */
  remember(dropped: PlaceOfTable): Promise<void>
  /** Gives a location of a dropped table to others, whose files are gone. */
  forget(place: PlaceOfTable): Promise<'forgotten' | 'table-lives'>
}
