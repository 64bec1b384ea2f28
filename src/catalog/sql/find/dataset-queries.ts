import { sql } from 'kysely'
import { nameKey } from '../../../core/table/name-key.ts'
import type { DatasetKey, ListDatasetsQuery } from '../../dataset-store.ts'
import { areOthersVisible, isVisible, isVisibleDropped } from '../access/visible-rows.ts'
import type { Connection } from '../engine/sql-engine.ts'
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
    return published.orderBy('version', 'desc').executeTakeFirst()
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
  { after, limit, nowMs, visibleTo }: ListDatasetsQuery,
): Promise<readonly DatasetRow[]> {
  let query = connection
    .selectFrom('datasets')
    .selectAll('datasets')
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
  if (visibleTo === undefined) return query.execute()
  return query
    .leftJoin('tables', 'tables.table_uuid', 'datasets.securable')
    .where((where) =>
      where.or([
        isVisible(visibleTo, 'tables'),
        where.and([
          where('tables.table_uuid', 'is', null),
          isVisibleDropped(visibleTo, 'datasets.securable'),
        ]),
      ]),
    )
    .where(areOthersVisible(visibleTo))
    .execute()
}
