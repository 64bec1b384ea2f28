import type { QueryTable } from '../../engine.ts'
import { deletedRows } from '../export/deletes.ts'
import { hasDeletes, type TaskPlace } from '../export/export-job.ts'
import type { RowSet } from '../export/row-set.ts'
import { type LinkedFiles, linkFiles } from '../export/source-files.ts'
import { withSession } from '../sql/session.ts'
import type { LinkedTable } from './table-rows.ts'

/** Links the files of tables into the task's folder, and finds out which rows are deleted. */
export async function linkTables(
  tables: readonly QueryTable[],
  place: TaskPlace,
  linkedPaths: string[],
): Promise<readonly LinkedTable[]> {
  const linked: (QueryTable & { readonly linked: readonly LinkedFiles[] })[] = []
  for (const table of tables) {
    linked.push({ ...table, linked: table.sources.map((each) => linkFiles(each, linkedPaths)) })
  }
  const found: LinkedTable[] = []
  for (const table of linked) {
    found.push({ ...table, deleted: await deletedOf(table, { ...place, linkedPaths }) })
  }
  return found
}

/** Whether DuckDB would leave out rows of a table for its files' statistics, which are wrong. */
export function isUnsure({ sources }: QueryTable): boolean {
  return sources.some(({ hasUnsureBounds }) => hasUnsureBounds === true)
}

async function deletedOf(
  { sources, linked }: Omit<LinkedTable, 'deleted'>,
  options: TaskPlace & { readonly linkedPaths: readonly string[] },
): Promise<LinkedTable['deleted']> {
  if (!sources.some((source) => hasDeletes(source))) return []
  return await withSession({ ...options, trust: 'values' }, async (connection) => {
    const found: (RowSet | undefined)[] = []
    for (const [i, source] of sources.entries()) {
      const own = linked[i]
      const deleted =
        own !== undefined && hasDeletes(source)
          ? await deletedRows(connection, { source, linked: own })
          : undefined
      found.push(deleted?.isEmpty === false ? deleted : undefined)
    }
    return found
  })
}
