import { findFieldByName } from '../../../src/core/schema/schema-lookup.ts'
import { currentSchema } from '../../../src/core/table/table.ts'
import type { Field } from '../../../src/core/value/type.ts'
import { changeTable } from '../../../src/lake/commit/change-table.ts'
import type { Workshop } from '../../lake/workshop.ts'

/** Partitions and sorts a table by the column. */
export function partitionBy({ deps }: Pick<Workshop, 'deps'>, table: string, name: string) {
  return changeTable(deps, table, ({ definition }) => {
    const { id: sourceId } = findFieldByName(currentSchema(definition), name) as Field
    const transform = { kind: 'identity' as const }
    const field = { fieldId: 1000, sourceId, name, transform }
    const sort = { sourceId, transform, direction: 'asc', nullOrder: 'nulls-last' } as const
    return {
      definition: {
        ...definition,
        partitionSpecs: [...definition.partitionSpecs, { specId: 1, fields: [field] }],
        sortOrders: [...definition.sortOrders, { orderId: 1, fields: [sort] }],
        ...{ defaultSpecId: 1, defaultSortOrderId: 1, lastPartitionId: 1000 },
      },
    }
  })
}
