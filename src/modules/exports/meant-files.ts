import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { otherRows } from '../../core/filter/parse/other-rows.ts'
import { bindRowFilter, fieldsOfFilter } from '../../core/query/row-filter.ts'
import { quotedName } from '../../core/quoted-name.ts'
import { topFieldsOf } from '../../core/schema/schema-lookup.ts'
import type { RowSelection } from '../../core/table/restriction.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import { toCommitOrder } from '../../lake/scan/commit-order.ts'
import { type PlannedFile, planScan } from '../../lake/scan/plan-files.ts'
import type { SourceTable } from '../../sources/row-source.ts'

/** A data file that has rows which a task means, or may have some. */
export interface MeantFile {
  readonly source: PlannedFile
  /** `undefined` where the metadata tell that all of its rows are meant. */
  readonly selection: RowSelection | undefined
}

/** In the order of the table. Throws `filter-invalid`. */
export async function meantFiles(
  deps: Parameters<typeof planScan>[0] & { readonly ambient: { nowMs(): number } },
  state: TableState,
  { where, older }: Pick<SourceTable, 'where' | 'older'>,
): Promise<readonly MeantFile[]> {
  const snapshot = state.currentSnapshot
  const schema = currentSchema(state.definition)
  const text = conditionOf(where, older, deps.ambient.nowMs())
  const plan = (filter?: Parameters<typeof planScan>[2]['filter']) =>
    planScan(deps, state, { snapshot, schema, filter })
  const sources = await toCommitOrder((await plan(text)).plannedFiles())
  if (text === undefined) return sources.map((source) => ({ source, selection: undefined }))
  const expression = parseFilter(text)
  const others = otherRows(expression)
  // Without them any file may have some.
  const partly = others && new Set(pathsOf(await plan(others)))
  const filter = bindRowFilter(expression, schema)
  const filterFields = topFieldsOf(schema.fields, fieldsOfFilter(filter))
  const selection = { filter, filterFields, actions: new Map(), isInverted: false }
  return sources.map((source) => ({
    source,
    selection: partly?.has(source.dataFile.path) === false ? undefined : selection,
  }))
}

/** `undefined`: every row. Ages are of whole days, which dates and times can be compared with. */
function conditionOf(
  where: string,
  older: SourceTable['older'],
  nowMs: number,
): string | undefined {
  const given = /^\s*true\s*$/i.test(where) ? [] : [`(${where})`]
  if (older !== undefined) {
    const before = new Date(nowMs - older.ms).toISOString()
    given.push(`${quotedName(older.column)} < '${before.slice(0, 10)}'`)
  }
  return given.length === 0 ? undefined : given.join(' AND ')
}

function pathsOf(plan: Awaited<ReturnType<typeof planScan>>): readonly string[] {
  return Array.from(plan.plannedFiles(), ({ dataFile }) => dataFile.path)
}
