import type { StagedFile } from '../../../core/table/transaction.ts'
import { ROWS_PER_STATEMENT, type SqlTransaction } from '../engine/sql-engine.ts'
import { pathKey } from './sql-keys.ts'
import { decodeExact } from './tagged-json.ts'

/**
 * Gives what open transactions of an older catalog have staged the keys of its paths instead of
 * those of their text. A file that is staged under two spellings stays once.
 */
export async function keyStagedPaths(transaction: SqlTransaction): Promise<readonly string[]> {
  const fileOf = (text: string) => decodeExact<StagedFile>(text).dataFile.path
  await keyRows(transaction, { table: 'staged_files', column: 'staged_file', pathOf: fileOf })
  const pathOf = (text: string) => decodeExact<string>(text)
  await keyRows(transaction, { table: 'staged_removals', column: 'path', pathOf })
  return []
}

interface Staged {
  readonly table: 'staged_files' | 'staged_removals'
  readonly column: 'staged_file' | 'path'
  pathOf(text: string): string
}

interface Row {
  readonly transaction_id: string
  readonly table_uuid: string
  readonly path_key: string
  readonly text: string
}

async function keyRows(transaction: SqlTransaction, staged: Staged): Promise<void> {
  for (let last: Row | undefined; ; ) {
    const rows = await readRows(transaction, staged, last)
    for (const row of rows) await keyRow(transaction, staged, row)
    last = rows.at(-1)
    if (last === undefined) return
  }
}

async function readRows(
  transaction: SqlTransaction,
  { table, column }: Staged,
  last: Row | undefined,
): Promise<readonly Row[]> {
  let page = transaction
    .selectFrom(table)
    .select(['transaction_id', 'table_uuid', 'path_key'])
    .select((row) => row.ref(column as 'path').as('text'))
    .orderBy('transaction_id')
    .orderBy('table_uuid')
    .orderBy('path_key')
    .limit(ROWS_PER_STATEMENT)
  if (last !== undefined) {
    page = page.where((where) =>
      where(
        where.refTuple('transaction_id', 'table_uuid', 'path_key'),
        '>',
        where.tuple(last.transaction_id, last.table_uuid, last.path_key),
      ),
    )
  }
  return page.execute()
}

async function keyRow(
  transaction: SqlTransaction,
  { table, pathOf }: Staged,
  { transaction_id, table_uuid, path_key, text }: Row,
): Promise<void> {
  const key = pathKey(pathOf(text))
  if (key === path_key) return
  const own = { transaction_id, table_uuid }
  const other = await transaction
    .selectFrom(table)
    .select('path_key')
    .where((where) => where.and({ ...own, path_key: key }))
    .executeTakeFirst()
  if (other === undefined) {
    await transaction
      .updateTable(table)
      .set({ path_key: key })
      .where((where) => where.and({ ...own, path_key }))
      .execute()
    return
  }
  await transaction
    .deleteFrom(table)
    .where((where) => where.and({ ...own, path_key }))
    .execute()
}
