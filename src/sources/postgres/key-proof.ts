import type pg from 'pg'
import { CatalogError } from '../../core/errors.ts'
import { quotedName } from '../../core/quoted-name.ts'
import type { DeletedTable } from './deletion-plan.ts'
import { oneStatement, tableOfDeletion } from './export-statements.ts'

interface Statements {
  readonly select: string
  readonly remove: string
  /** That the deletion deletes from. */
  readonly table: DeletedTable
}

/** Number of keys and two sums over their hashes: equal for equal sets of keys, in any order. */
interface KeySum {
  readonly count: string
  readonly first: string
  readonly second: string
}

/** Keys of the rows that were copied. Seen by this transaction alone. */
export const NOTED = 'pg_temp.moraine_copied'

/**
 * Columns of the primary key of the table whose rows are deleted, if the query has them and the
 * role may note keys; else `undefined`.
 */
export async function findKeys(
  client: pg.Client,
  { select, remove, table }: Statements,
): Promise<readonly string[] | undefined> {
  // With USING, a name of a column could be that of another table.
  if (/\b(?:returning|using)\b/i.test(remove)) return undefined
  // A view may call its columns otherwise.
  if (!(await isNamed(client, table, tableOfDeletion(remove)))) return undefined
  const keys = await primaryKeyOf(client, table.name)
  const isNotable = keys.length > 0 && (await mayNote(client))
  return isNotable && (await hasColumns(client, select, keys)) ? keys : undefined
}

/**
 * The query, extended so that the keys of the very rows that it returns are noted: asked twice, a
 * query may answer differently.
 */
export async function notingKeys(
  client: pg.Client,
  keys: readonly string[],
  select: string,
): Promise<string> {
  const columns = keys.map(quotedName).join(', ')
  await client.query(
    oneStatement(
      `create temporary table moraine_copied on commit drop as select ${columns} ` +
        `from (${select}\n) as exported limit 0`,
    ),
  )
  return (
    `with exported as materialized (${select}\n), ` +
    `noted as (insert into ${NOTED} select ${columns} from exported) select * from exported`
  )
}

/**
 * Deletes, and returns how many rows. Throws `export-count-mismatch` when their keys are not those
 * noted.
 */
export async function deleteByKeys(
  client: pg.Client,
  keys: readonly string[],
  remove: string,
): Promise<number> {
  const columns = keys.map(quotedName).join(', ')
  const copied = await sumOf(client, keys, `select ${columns} from ${NOTED}`)
  const deleted = await sumOf(client, keys, `${remove}\nreturning ${columns}`)
  const isSame = copied.first === deleted.first && copied.second === deleted.second
  if (copied.count === deleted.count && isSame) return Number(deleted.count)
  throw new CatalogError(
    'export-count-mismatch',
    `the ${deleted.count} rows that would have been deleted have other keys than the ` +
      `${copied.count} that were copied: nothing was deleted`,
    { facts: { copied: Number(copied.count), deleted: Number(deleted.count), keys } },
  )
}

async function sumOf(
  client: pg.Client,
  keys: readonly string[],
  statement: string,
): Promise<KeySum> {
  const row = `row(${keys.map((key) => `keyed.${quotedName(key)}`).join(', ')})::text`
  const hash = (seed: number) =>
    `coalesce(sum(hashtextextended(${row}, ${seed})::numeric), 0)::text`
  const { rows } = await client.query<KeySum>(
    oneStatement(
      `with keyed as (${statement}\n) select count(*)::text as count, ` +
        `${hash(0)} as first, ${hash(1)} as second from keyed`,
    ),
  )
  const [sum] = rows
  if (sum === undefined) throw new Error('an aggregate without a row')
  return sum
}

/** Its columns; the table is named as in SQL. */
export async function primaryKeyOf(client: pg.Client, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid ' +
      'and a.attnum = any(i.indkey) where i.indrelid = to_regclass($1) and i.indisprimary',
    [table],
  )
  return rows.map(({ name }) => name)
}

export async function isPartitioned(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ relkind: string }>(
    'select relkind from pg_class where oid = to_regclass($1)',
    [table],
  )
  return rows[0]?.relkind === 'p'
}

async function isNamed(
  client: pg.Client,
  { oid }: DeletedTable,
  name: string | undefined,
): Promise<boolean> {
  if (name === undefined) return false
  const { rows } = await client.query<{ same: boolean | null }>(
    'select to_regclass($1) = $2::oid as same',
    [name, oid],
  )
  return rows[0]?.same === true
}

async function mayNote(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "select has_database_privilege(current_database(), 'TEMPORARY') as may",
  )
  return rows[0]?.may === true
}

async function hasColumns(
  client: pg.Client,
  select: string,
  keys: readonly string[],
): Promise<boolean> {
  const text = `select * from (${select}\n) as exported limit 0`
  const { fields } = await client.query(oneStatement(text))
  return keys.every((key) => fields.some(({ name }) => name === key))
}
