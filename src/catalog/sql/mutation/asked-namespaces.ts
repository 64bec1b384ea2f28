import { CatalogError } from '../../../core/errors.ts'
import type { AskedNamespace } from '../../../core/replay.ts'
import { shownNamespace } from '../../../core/table/shown-name.ts'
import type { SqlEngine, SqlTransaction } from '../engine/sql-engine.ts'
import { namespaceKey } from '../rows/sql-keys.ts'

/**
 * Throws `namespace-not-found` unless each name leads to what it led to when it was asked for; then
 * none of them is dropped before the transaction ends, but by itself.
 */
export async function holdAsked(
  transaction: SqlTransaction,
  engine: Pick<SqlEngine, 'holdNamespaces'>,
  namespaces: readonly AskedNamespace[],
): Promise<void> {
  if (namespaces.length === 0) return
  const keys = [...new Set(namespaces.map(({ levels }) => namespaceKey(levels)))].sort()
  await engine.holdNamespaces(transaction, keys)
  const rows = await transaction
    .selectFrom('namespaces')
    .select(['namespace_key', 'namespace_uuid'])
    .where('namespace_key', 'in', keys)
    .execute()
  const found = new Map(rows.map((row) => [row.namespace_key, row.namespace_uuid]))
  for (const { levels, namespaceUuid } of namespaces) {
    if (found.get(namespaceKey(levels)) !== namespaceUuid) throw dropped(levels)
  }
}

/** Throws as `holdAsked`, where what was deleted under that name is not what was asked for. */
export function requireAsked(
  namespaces: readonly AskedNamespace[],
  deleted: { readonly namespace_key: string; readonly namespace_uuid: string },
): void {
  for (const { levels, namespaceUuid } of namespaces) {
    const isOther = namespaceUuid !== deleted.namespace_uuid
    if (isOther && namespaceKey(levels) === deleted.namespace_key) throw dropped(levels)
  }
}

function dropped(levels: readonly string[]): CatalogError {
  const namespace = shownNamespace(levels)
  const detail = `Namespace does not exist: ${namespace}; it was dropped since the request began`
  return new CatalogError('namespace-not-found', detail, { facts: { namespace } })
}
