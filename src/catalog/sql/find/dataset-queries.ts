import { sql } from 'kysely'
import { nameKey } from '../../../core/table/name-key.ts'
import type { DatasetKey, ListDatasetsQuery } from '../../dataset-store.ts'
import { isReadableDataset } from '../access/readable-datasets.ts'
import type { Connection, SqlEngine } from '../engine/sql-engine.ts'
import type { DatasetRow } from '../engine/sql-schema.ts'

export function findDataset(
  connection: Connection,
  key: DatasetKey,
): Promise<DatasetRow | undefined> {
  const all = connection.selectFrom('datasets').selectAll()
  if ('tableUuid' in key) return all.where('table_uuid', '=', key.tableUuid).executeTakeFirst()
  const named = all.where('name_key', '=', nameKey(key.name))
  if ('version' in key) return named.where('version', '=', BigInt(key.version)).executeTakeFirst()
  if ('identity' in key) {
    return named.where('living_identity', '=', key.identity).executeTakeFirst()
  }
  const newest = named.limit(1)
  if ('isPublished' in key) {
    const published = newest.where('published_at_ms', 'is not', null)
    const endedLast = sql`case when ended_at_ms is null then 0 else 1 end`
    return published.orderBy(endedLast).orderBy('version', 'desc').executeTakeFirst()
  }
  const now = BigInt(Math.floor(key.nowMs))
  return newest
    .orderBy(
      sql`case when ended_at_ms is null and (expires_at_ms is null or expires_at_ms > ${now})
        then 0 else 1 end`,
    )
    .orderBy('version', 'desc')
    .executeTakeFirst()
}

export async function listDatasets(
  connection: Connection,
  { after, limit, nowMs, readBy }: ListDatasetsQuery,
  engine: Pick<SqlEngine, 'hasText'>,
): Promise<readonly DatasetRow[]> {
  let query = connection
    .selectFrom('datasets')
    .selectAll()
    .where('datasets.ended_at_ms', 'is', null)
    .where((where) =>
      where.or([
        where('datasets.expires_at_ms', 'is', null),
        where('datasets.expires_at_ms', '>', BigInt(Math.floor(nowMs))),
      ]),
    )
    .orderBy('datasets.name_key')
    .orderBy('datasets.version')
    .limit(limit)
  if (after !== undefined) {
    const start = [nameKey(after.name), BigInt(after.version)] as const
    query = query.where((where) =>
      where(where.refTuple('datasets.name_key', 'datasets.version'), '>', where.tuple(...start)),
    )
  }
  if (readBy !== undefined) query = query.where(isReadableDataset({ readers: readBy, engine }))
  return query.execute()
}
