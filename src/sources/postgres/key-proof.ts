import type pg from 'pg'
import { CatalogError } from '../../core/errors.ts'
import { identifier, oneStatement, tableOfDeletion } from './export-statements.ts'

interface Statements {
  readonly select: string
  readonly remove: string
}

/** Number of keys and two sums over their hashes: equal for equal sets of keys, in any order. */
interface KeySum {
  readonly count: string
  readonly first: string
  readonly second: string
}

/**
 * Deletes, and returns how many rows, if the query has the primary key of the table whose rows are
 * deleted; else returns `undefined` and has done nothing. Throws `export-count-mismatch` when the
 * keys are others, though as many. Both are read in one state of the source, so the query finds
 * here what it found when it was copied.
 */
export async function compareKeys(
  client: pg.Client,
  { select, remove }: Statements,
): Promise<number | undefined> {
  const table = tableOfDeletion(remove)
  // With USING, a name of a column could be that of another table.
  if (table === undefined || /\b(?:returning|using)\b/i.test(remove)) return undefined
  const keys = await primaryKeyOf(client, table)
  if (keys.length === 0 || !(await hasColumns(client, select, keys))) return undefined
  const copied = await sumOf(client, keys, `select * from (${select}\n) as exported`)
  const deleted = await sumOf(
    client,
    keys,
    `${remove}\nreturning ${keys.map(identifier).join(', ')}`,
  )
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
  const row = `row(${keys.map((key) => `keyed.${identifier(key)}`).join(', ')})::text`
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

async function primaryKeyOf(client: pg.Client, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid ' +
      'and a.attnum = any(i.indkey) where i.indrelid = to_regclass($1) and i.indisprimary',
    [table],
  )
  return rows.map(({ name }) => name)
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
