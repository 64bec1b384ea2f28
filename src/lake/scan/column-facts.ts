import { type ColumnFacts, ColumnMetricsSum } from '../../core/file/column-metrics-sum.ts'
import { findPathToField } from '../../core/schema/schema-lookup.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import { readAliases, readLostNames } from '../../core/table-properties.ts'
import { isTurnDue, Turns } from '../../core/turns.ts'
import type { Field, Schema, Type } from '../../core/value/type.ts'
import { columnNames } from '../file/column-names.ts'
import type { ScanPlan } from './plan-files.ts'

/** Rows of a snapshot, and what manifests tell of one of its columns. */
export type KnownColumn = ColumnFacts & { readonly rows: number | undefined }

const NOTHING: KnownColumn = { rows: undefined, nulls: undefined, ends: undefined }

/**
 * What is known of a column without reading a file, as far as it is what reading all of them would
 * find: nothing where rows are deleted. The plan has no filter.
 */
export async function columnFacts(
  plan: Pick<ScanPlan, 'totals' | 'columns'>,
  {
    definition,
    schema,
    fieldId,
    signal,
  }: {
    readonly definition: TableDefinition
    readonly schema: Schema
    readonly fieldId: number
    readonly signal: AbortSignal
  },
): Promise<KnownColumn> {
  const { records: rows, liveRecords } = plan.totals
  if (liveRecords !== rows) return NOTHING
  const path = findPathToField(schema.fields, fieldId) ?? []
  const type = path.at(-1)?.type
  if (type === undefined || !isReadAsCounted(definition, schema, path)) return { ...NOTHING, rows }
  const sum = new ColumnMetricsSum({ fieldId, type })
  const turns = new Turns(signal)
  let looks = 0
  for (const { files, kept } of plan.columns()) {
    for (const row of kept) {
      const turn = isTurnDue(looks++) ? turns.take() : undefined
      if (turn !== undefined) await turn
      sum.add(files, row)
    }
    if (sum.knowsNothing) break
  }
  return { rows, ...sum.facts }
}

/**
 * Whether files surely have the values that were counted when they were added. A file without field
 * ids is read by names, which may be others by now; one that lacks the column may be counted as
 * nulls by its writer, and is read as the default, or as what its partition says.
 */
function isReadAsCounted(
  definition: TableDefinition,
  schema: Schema,
  path: readonly Field[],
): boolean {
  const field = path.at(-1)
  if (field === undefined || !isFoundByOneName(definition, schema, path)) return false
  const hasDefault = path.some(({ initialDefault: value }) => value !== undefined && value !== null)
  const isSaidByPartition = definition.partitionSpecs.some(({ fields }) =>
    fields.some(({ sourceId }) => sourceId === field.id),
  )
  const lost = readLostNames(definition.properties)
  if (path.some(({ id }) => lost.includes(id))) return false
  return !hasDefault && !isSaidByPartition && hasAlwaysBeen(definition, path)
}

function isFoundByOneName(
  definition: TableDefinition,
  schema: Schema,
  path: readonly Field[],
): boolean {
  const aliases = readAliases(definition.properties)
  let { mapping } = columnNames(definition, schema)
  for (const { id, name } of path) {
    const found = mapping.find(({ fieldId }) => fieldId === id)
    const isOne = found?.names.length === 1 && found.names[0] === name
    if (!isOne || (aliases.get(id) ?? []).length > 0) return false
    mapping = found.fields ?? []
  }
  return true
}

/** Whether each schema that has the field has it under the same names, with values of that kind. */
function hasAlwaysBeen({ schemas }: TableDefinition, path: readonly Field[]): boolean {
  return schemas.every(({ fields }) => {
    const then = findPathToField(fields, path.at(-1)?.id ?? 0)
    if (then === undefined) return true
    return (
      then.length === path.length &&
      path.every(({ name, type }, i) => then[i]?.name === name && isAlike(then[i].type, type))
    )
  })
}

function isAlike(then: Type, now: Type): boolean {
  if (then.kind === 'decimal' && now.kind === 'decimal') return then.scale === now.scale
  return then.kind === now.kind || (then.kind === 'int' && now.kind === 'long')
}
