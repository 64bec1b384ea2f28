import type { Stores } from '../../catalog/catalog.ts'
import type { TableSummary } from '../../catalog/table-store.ts'

const TABLES_PAGE = 1_000

/**
 * All tables, those of datasets, too, by namespace and name; those made or renamed meanwhile may be
 * missed.
 */
export async function* everyTable({ catalog }: Stores<'tables'>): AsyncGenerator<TableSummary> {
  for (let after: TableSummary | undefined; ; ) {
    const page: readonly TableSummary[] = await catalog.tables.list({
      limit: TABLES_PAGE,
      withDatasets: true,
      ...(after !== undefined && { after }),
    })
    yield* page
    if (page.length < TABLES_PAGE) return
    after = page.at(-1)
  }
}
