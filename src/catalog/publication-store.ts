/**
 * Which versions of tables have a metadata file, and where. New tables may bring some along
 * (`TableStore.create`). Its contract: test/catalog/publications.contract.ts.
 */
export interface PublicationStore {
  /**
   * Records that a metadata file of this version exists. A version at or below the published one
   * changes nothing.
   */
  record(publication: Publication): Promise<void>
  /** Tables whose newest version has no metadata file yet. */
  listUnpublishedTables(limit: number): Promise<readonly string[]>
  /** Newest first: earlier metadata files, for the metadata log. */
  list(tableUuid: string, limit: number): Promise<readonly Publication[]>
  /** Oldest first: those of versions before this one. */
  listBefore(query: OldPublicationsQuery): Promise<readonly Publication[]>
  /** Forgets the metadata files of these versions, which no metadata log names any more. */
  forget(tableUuid: string, versions: readonly number[]): Promise<void>
}

export interface OldPublicationsQuery {
  readonly tableUuid: string
  readonly beforeVersion: number
  readonly limit: number
}

export interface Publication {
  readonly tableUuid: string
  readonly version: number
  readonly metadataLocation: string
  readonly publishedAtMs: number
}
