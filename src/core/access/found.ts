import type { NamespacedName } from '../table/table-name.ts'

/**
 * Is told of each table and view that a call finds by a name, and asks again, by its UUID, for all
 * that was asked for by that name: it may have become another one's since, and was perhaps
 * remembered as that of another one. Throws where that is refused.
 */
export type Found = (found: {
  readonly on: 'table' | 'view'
  readonly name: NamespacedName
  readonly uuid: string
}) => Promise<void> | undefined
