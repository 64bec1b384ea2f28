/**
 * Every path that a table may have referenced at any time: data files, manifests, manifest lists.
 * Hashes are compared, so a path may be reported wrongly in one case of 2^64; one that is not
 * reported is certainly new. Creations and commits of tables add them (`TableStore`). Its contract:
 * test/catalog/paths.contract.ts.
 */
export interface PathStore {
  /** Which of these paths the table may have referenced. */
  findKnown(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>
  /** Which of these paths a table other than this one may reference. */
  findOfOtherTables(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>
}
