import type { Lake } from '../../lake/lake.ts'
import type { DumpShop, DumpWish } from './dump-shop.ts'
import { expectRows } from './row-check.ts'

/** Every format, and every compression of text. */
export const CHOICES = [
  { format: 'csv' },
  { format: 'csv', compression: 'gzip' },
  { format: 'csv', compression: 'zstd' },
  { format: 'ndjson' },
  { format: 'ndjson', compression: 'gzip' },
  { format: 'ndjson', compression: 'zstd' },
  { format: 'parquet' },
] as const satisfies readonly DumpWish[]

/**
 * Holds the dump of a snapshot, in every format, against the rows of a query. Answers how many
 * there are.
 */
export async function expectRowsInEveryFormat(
  shop: DumpShop,
  lake: Lake,
  { table, query, ...moment }: { readonly table: string; readonly query: string } & DumpWish,
): Promise<number> {
  let rows = 0
  for (const choice of CHOICES) {
    const dump = await shop.make(table, { ...moment, ...choice })
    rows = await expectRows(shop, lake, { dump, query })
  }
  return rows
}
