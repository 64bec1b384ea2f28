import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { privilegesThatInclude } from '../../../core/access/privilege.ts'
import type { Readers } from '../../../core/access/visibility.ts'
import { droppedSecurable } from '../../grant-store.ts'
import type { SqlEngine } from '../engine/sql-engine.ts'
import { isWithin } from './visible-rows.ts'

const READING = sql.join(privilegesThatInclude('select'))

/** What tells whether a row may be read. */
interface Reading {
  readonly readers: Readers
  readonly engine: Pick<SqlEngine, 'hasText'>
}

/**
 * Whether one of the readers may read the dataset, as the authorizer decides for one: all tables
 * that it is read by.
 */
export function isReadableDataset(reading: Reading): RawBuilder<SqlBool> {
  const { principals } = reading.readers
  if (principals.length === 0) return sql<SqlBool>`1 = 0`
  return sql<SqlBool>`(${mayReadTable(reading, sql.ref('datasets.securable'))}
    and (datasets.securable = datasets.table_uuid or not exists (
      select 1 from dataset_sources
        where dataset_sources.table_uuid = datasets.table_uuid
          and not ${mayReadTable(reading, sql.ref('dataset_sources.securable'))})))`
}

/** Whether the table is there, or is kept for its datasets, and no policy withholds any of it. */
function mayReadTable(
  { readers, engine }: Reading,
  uuid: RawBuilder<unknown>,
): RawBuilder<SqlBool> {
  const { principals, everywhere } = readers
  const isWithheld = sql<SqlBool>`exists (
    select 1 from table_policies p where p.table_uuid = ${uuid}
      and not ${engine.hasText(sql.ref('p.policy'), { member: 'except', texts: principals })})`
  if (everywhere === 'all') return sql<SqlBool>`(not ${isWithheld})`
  const dropped = sql`cast(${droppedSecurable('')} as text) || ${uuid}`
  const isGranted = everywhere === 'kept' ? undefined : principals
  return sql<SqlBool>`(not ${isWithheld} and (
    exists (
      select 1 from tables t where t.table_uuid = ${uuid} and ${readsLiving(isGranted)})
    or exists (
      select 1 from grants g where g.securable = ${dropped} and ${isReader(isGranted)}
        and not exists (select 1 from tables t where t.table_uuid = ${uuid}))))`
}

/** Whether reading is granted on the table `t` or above it. */
function readsLiving(principals: readonly string[] | undefined): RawBuilder<SqlBool> {
  if (principals === undefined) return sql<SqlBool>`1 = 1`
  return sql<SqlBool>`(
    exists (
      select 1 from grants g where g.securable = t.table_uuid and ${isReader(principals)})
    or exists (
      select 1 from grants g join namespaces above on above.namespace_uuid = g.securable
        where ${isReader(principals)}
          and ${isWithin(sql.ref('t.namespace_key'), sql.ref('above.namespace_key'))}))`
}

/** Whether the grant `g` lets one of these read; without them, anybody's counts. */
function isReader(principals: readonly string[] | undefined): RawBuilder<SqlBool> {
  if (principals === undefined) return sql<SqlBool>`1 = 1`
  return sql<SqlBool>`(g.principal in (${sql.join(principals)}) and g.privilege in (${READING}))`
}
