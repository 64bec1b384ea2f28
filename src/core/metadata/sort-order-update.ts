import { type SortOrder, UNSORTED } from '../partition/partition-spec.ts'
import { transformText } from '../partition/transform.ts'
import { checkSortFields } from './spec-check.ts'
import type { TableDraft } from './table-draft.ts'
import { LAST_ADDED } from './table-update.ts'
import { invalidUpdate } from './update-problem.ts'

/**
 * Adds a sort order. One that the table already has keeps its id, unsorted is 0, and a new one gets
 * the next id from 1.
 */
export function addSortOrder(draft: TableDraft, order: Pick<SortOrder, 'fields'>): void {
  const { schemas, currentSchemaId, sortOrders } = draft.definition
  const schema = schemas.find((s) => s.schemaId === currentSchemaId)
  if (schema === undefined) throw invalidUpdate('Cannot add a sort order before a schema is set')
  checkSortFields(order, schema)
  draft.sortOrderIdsByKey ??= new Map(sortOrders.map((o) => [orderKey(o), o.orderId]))
  const key = orderKey(order)
  const known = draft.sortOrderIdsByKey.get(key)
  const nextId = sortOrders.reduce((next, other) => Math.max(next, other.orderId + 1), 1)
  const orderId = known ?? (order.fields.length === 0 ? UNSORTED.orderId : nextId)
  draft.lastAddedSortOrderId = orderId
  if (known !== undefined) return
  draft.sortOrderIdsByKey.set(key, orderId)
  draft.change({ sortOrders: [...sortOrders, { orderId, fields: order.fields }] })
}

export function setDefaultSortOrder(draft: TableDraft, givenId: number): void {
  const orderId = givenId === LAST_ADDED ? draft.lastAddedSortOrderId : givenId
  if (orderId === undefined) {
    throw invalidUpdate('Cannot set last added sort order: no sort order has been added')
  }
  if (!draft.definition.sortOrders.some((order) => order.orderId === orderId)) {
    throw invalidUpdate(`Cannot set default sort order to unknown sort order: ${orderId}`)
  }
  if (orderId !== draft.definition.defaultSortOrderId) {
    draft.change({ defaultSortOrderId: orderId })
  }
}

function orderKey({ fields }: Pick<SortOrder, 'fields'>): string {
  return fields
    .map(({ sourceId, transform, direction, nullOrder }) =>
      JSON.stringify([sourceId, transformText(transform), direction, nullOrder]),
    )
    .join()
}
