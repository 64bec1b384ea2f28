import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Visibility } from '../../../core/access/visibility.ts'

/** Below every character of a name, and between the levels of a namespace. */
const SEPARATOR = sql`cast(${'\u001f'} as text)`
/** The next character: ends the range of keys below a namespace. */
const AFTER_SEPARATOR = sql`cast(${' '} as text)`

/** Whether a list of `tables` or `views` shows the row: something on it or above it is granted. */
export function isVisible(
  { principals }: Visibility,
  table: 'tables' | 'views',
): RawBuilder<SqlBool> {
  const names = sql.join(principals)
  const uuid = sql.ref(table === 'tables' ? 'tables.table_uuid' : 'views.view_uuid')
  const key = sql.ref(`${table}.namespace_key`)
  return sql<SqlBool>`(
    exists (
      select 1 from grants g
        where g.principal in (${names}) and g.securable = ${uuid})
    or exists (
      select 1 from grants g join namespaces above on above.namespace_uuid = g.securable
        where g.principal in (${names}) and g.privilege <> 'create'
          and ${isWithin(key, sql.ref('above.namespace_key'))}))`
}

/**
 * Whether a list of `namespaces` shows the row: something on it, above it or below it is granted.
 */
export function isVisibleNamespace({ principals }: Visibility): RawBuilder<SqlBool> {
  const names = sql.join(principals)
  const key = sql.ref('namespaces.namespace_key')
  const other = sql.ref('other.namespace_key')
  return sql<SqlBool>`(
    exists (
      select 1 from grants g join namespaces other on other.namespace_uuid = g.securable
        where g.principal in (${names})
          and (${isWithin(other, key)} or g.privilege <> 'create' and ${isWithin(key, other)}))
    or exists (
      select 1 from grants g join names n on n.uuid = g.securable
        where g.principal in (${names}) and ${isWithin(sql.ref('n.namespace_key'), key)}))`
}

/** Whether a namespace is the other one or below it. */
export function isWithin(
  key: RawBuilder<unknown>,
  above: RawBuilder<unknown>,
): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${key} = ${above}
    or ${key} >= ${above} || ${SEPARATOR} and ${key} < ${above} || ${AFTER_SEPARATOR})`
}
