import type { ColumnReference, FilterNode } from '../../core/filter/parse/expression.ts'
import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { bindRowFilter, fieldsOfFilter } from '../../core/query/row-filter.ts'
import { quotedName } from '../../core/quoted-name.ts'
import { topFieldsOf } from '../../core/schema/schema-lookup.ts'
import type { RowSelection } from '../../core/table/restriction.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import { byCommitOrder } from '../../lake/scan/commit-order.ts'
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
  const sources = [...(await plan(text)).plannedFiles()].sort(byCommitOrder)
  if (text === undefined) return sources.map((source) => ({ source, selection: undefined }))
  const expression = parseFilter(text)
  const { root } = expression
  // Rows for which the condition is false, or is not known because a value is null.
  const nulls = columnsOf(root).map((column) => ({ kind: 'is-null', column }) as const)
  const others = { kind: 'or', operands: [{ kind: 'not', operand: root }, ...nulls] } as const
  const partly = new Set<string>()
  for (const { dataFile } of (await plan({ text, root: others })).plannedFiles()) {
    partly.add(dataFile.path)
  }
  const filter = bindRowFilter(expression, schema)
  const filterFields = topFieldsOf(schema.fields, fieldsOfFilter(filter))
  const selection = { filter, filterFields, actions: new Map(), isInverted: false }
  return sources.map((source) => ({
    source,
    selection: partly.has(source.dataFile.path) ? selection : undefined,
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

function columnsOf(node: FilterNode): readonly ColumnReference[] {
  if (node.kind === 'not') return columnsOf(node.operand)
  if ('operands' in node) return node.operands.flatMap(columnsOf)
  return [node.column]
}
