import { canHaveRowIdFields } from '../../core/file/row-id-fields.ts'
import { currentSchema, type TableDefinition } from '../../core/table/table.ts'
import type { InheritedRowIds } from '../../engine/engine.ts'
import type { PlannedFile } from '../scan/plan-files.ts'

/**
 * What the rows of a data file inherit, to be written with them to another file of the table.
 * `undefined` before version 3, and in a table with columns of the same names, whose rows then
 * count as new ones.
 */
export function inheritedRowIds(
  definition: TableDefinition,
  { dataFile: { firstRowId }, sequenceNumber }: PlannedFile,
): InheritedRowIds | undefined {
  const isKept = definition.formatVersion >= 3 && canHaveRowIdFields(currentSchema(definition))
  return isKept ? { firstRowId, sequenceNumber } : undefined
}
