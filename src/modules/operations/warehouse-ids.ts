import type { Stores } from '../../catalog/catalog.ts'
import type { Warehouse } from '../../lake/table/table-location.ts'
import { findMarkedId, findWarehouseId } from '../../lake/table/warehouse-claim.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** The id of the warehouse of an open catalog. */
export async function ownWarehouseId(deps: Stores<'settings'>): Promise<string> {
  const id = await findWarehouseId(deps)
  if (id === undefined) throw new Error('the warehouse was never claimed')
  return id
}

/** Whether a folder is empty, or has the warehouse of this id already. */
export async function mayReceive(
  place: Warehouse & { readonly objects: ObjectStore },
  warehouseId: string,
): Promise<boolean> {
  const found = await findMarkedId(place)
  if (found !== undefined) return found === warehouseId
  for await (const _ of place.objects.list(place.warehouse)) return false
  return true
}
