import type pg from 'pg'
import { CatalogError } from '../../core/errors.ts'
import { quotedName } from '../../core/quoted-name.ts'
import type { SourceWork } from '../row-source.ts'
import { deletionOf, oneStatement, tableName } from './export-statements.ts'
import { NOTED, primaryKeyOf } from './key-proof.ts'

type KeysWork = Extract<SourceWork, { mode: 'keys' }>

/** Named in the operator's own statements. */
const CHOSEN = 'pg_temp.moraine_keys'

/** Locks the rows, and keeps their keys in the temporary table. Returns the columns of the key. */
export async function chooseKeys(client: pg.Client, work: KeysWork): Promise<readonly string[]> {
  const { table, where, rowsMax } = work
  const keys = work.keys ?? (await primaryKeyOf(client, tableName(table)))
  if (keys.length === 0) {
    throw invalid(`${table} has no primary key: name the columns that are unique in "keys"`)
  }
  const columns = columnsOf(keys)
  const limit = rowsMax === undefined ? '' : ` limit ${rowsMax}`
  await client.query(
    oneStatement(
      `create temporary table moraine_keys on commit drop as select ${columns} ` +
        `from ${tableName(table)} where (${where}\n)${limit} for update`,
    ),
  )
  const { rows } = await client.query<{ unique: boolean }>(
    `select count(*) = count(distinct (${columns})) as unique from ${CHOSEN}`,
  )
  if (rows[0]?.unique === true) return keys
  throw invalid(`the columns ${keys.join(', ')} are not unique in ${table}`)
}

/**
 * Deletes the rows of the chosen keys, and returns how many. Throws `export-count-mismatch` unless
 * exactly these rows were copied, each once, and exactly these are gone.
 */
export async function deleteChosen(
  client: pg.Client,
  keys: readonly string[],
  work: KeysWork,
): Promise<number> {
  const columns = columnsOf(keys)
  const both = [
    `(select ${columns} from ${NOTED} except all select ${columns} from ${CHOSEN})`,
    `(select ${columns} from ${CHOSEN} except all select ${columns} from ${NOTED})`,
  ].join(' union all ')
  const different = await client.query(`${both} limit 1`)
  if (different.rows.length > 0) {
    throw mismatch('the query returned other rows than were chosen, or one twice')
  }
  const { command, rowCount } = await client.query(oneStatement(deletionOfChosen(keys, work)))
  if (command !== 'DELETE') throw invalid(`the deletion is a ${command}`)
  const { rows } = await client.query<{ chosen: string; left: string }>(
    `select (select count(*) from ${CHOSEN})::text as chosen, ` +
      `(select count(*) from ${tableName(work.table)} join ${CHOSEN} using (${columns}))::text ` +
      'as left',
  )
  const [{ chosen, left } = { chosen: '', left: '' }] = rows
  if (Number(chosen) === rowCount && left === '0') return rowCount
  throw mismatch(`${chosen} rows were chosen: ${rowCount} would be deleted, and ${left} left`)
}

/** The operator's deletion, or ours. */
export function deletionOfChosen(
  keys: readonly string[],
  { table, remove }: Pick<KeysWork, 'table' | 'remove'>,
): string {
  if (remove !== undefined) return deletionOf(remove)
  const same = keys.map((key) => `gone.${quotedName(key)} = moraine_keys.${quotedName(key)}`)
  return `delete from ${tableName(table)} as gone using ${CHOSEN} where ${same.join(' and ')}`
}

function columnsOf(keys: readonly string[]): string {
  return keys.map(quotedName).join(', ')
}

function invalid(detail: string): CatalogError {
  return new CatalogError('export-task-invalid', detail)
}

function mismatch(detail: string): CatalogError {
  return new CatalogError('export-count-mismatch', `${detail}: nothing was deleted`)
}
