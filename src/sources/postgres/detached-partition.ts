import type pg from 'pg'
import type { SourceWork } from '../row-source.ts'
import { tableName } from './export-statements.ts'
import { asked } from './source-failure.ts'

type PartitionWork = Extract<SourceWork, { mode: 'partition' }>

/** Others wait for the table behind us for no longer. */
const DETACH_LOCK = '5s'

/**
 * Partitions by ranges of time that end long enough ago, the oldest first. The end of a range is
 * read in the time zone of the session.
 */
const OLD_PARTITIONS = `
  with ranges as materialized (
    select c.oid, substring(pg_get_expr(c.relpartbound, c.oid) from $$TO \\('([^']+)'\\)$$) as upper
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    join pg_partitioned_table p on p.partrelid = i.inhparent
    join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where i.inhparent = to_regclass($1) and p.partstrat = 'r' and p.partnatts = 1
    and c.relkind = 'r' and a.atttypid in ('date'::regtype, 'timestamp'::regtype,
      'timestamptz'::regtype))
  select oid::regclass::text as name from ranges
  where upper::timestamptz <= now() - $2::interval order by upper::timestamptz`

/** Those that an earlier attempt has detached, and nobody has attached again. */
const DETACHED =
  'select c.oid::regclass::text as name from pg_class c ' +
  "where c.relkind = 'r' and not c.relispartition and obj_description(c.oid, 'pg_class') = $1"

/** Partitions that a run would archive, as they stand in SQL, the next one first. */
export async function listPartitions(
  client: pg.Client,
  task: string,
  { table, minAge }: PartitionWork,
): Promise<{ readonly detached: readonly string[]; readonly attached: readonly string[] }> {
  const names = ({ rows }: pg.QueryResult<{ name: string }>) => rows.map(({ name }) => name)
  const detached = await client.query<{ name: string }>(DETACHED, [remark(task, table)])
  const attached = await client.query<{ name: string }>(OLD_PARTITIONS, [tableName(table), minAge])
  return { detached: names(detached), attached: names(attached) }
}

/**
 * Detaches the next partition that has rows, in a transaction of its own: with it, the lock of the
 * table would be held for as long as the copy takes. `undefined` when there is none.
 */
export async function detachNext(
  client: pg.Client,
  task: string,
  work: PartitionWork,
): Promise<string | undefined> {
  const { detached, attached } = await asked(listPartitions(client, task, work))
  const [left] = detached
  if (left !== undefined) return left
  for (const name of attached) {
    const { rows } = await asked(client.query(`select 1 from only ${name} limit 1`))
    if (rows.length === 0) continue
    const note = client.escapeLiteral(remark(task, work.table))
    const detach = `alter table ${tableName(work.table)} detach partition ${name}`
    try {
      await client.query(
        `begin; set local lock_timeout = '${DETACH_LOCK}'; ${detach}; ` +
          `comment on table ${name} is ${note}; commit`,
      )
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      await asked(Promise.reject(error))
    }
    return name
  }
  return undefined
}

function remark(task: string, table: string): string {
  return `moraine: the export ${task} archives this partition of ${table}`
}
