import { readdir, readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { CatalogUnusableError } from '../../../core/catalog-unusable-error.ts'
import { folderKey } from '../../../core/table/folder-key.ts'
import { type SqlEngine, type SqlTransaction, write } from './sql-engine.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly statements: readonly string[]
}

// The same place from src/catalog/sql/engine and from dist/catalog/sql/engine.
const MIGRATIONS = new URL('../../../../schemas/sql/', import.meta.url)
/**
 * What a migration does in code after its statements, by its number. Returns what an operator
 * should know of, each in a line.
 */
export type Finishes = ReadonlyMap<number, (transaction: SqlTransaction) => Promise<Notes>>
type Notes = readonly string[]

const FINISHES: Finishes = new Map([[6, addLocations]])
const TABLES_AT_ONCE = 1_000
const KEY_BYTES_MAX = 2_000
const FILE_NAME = /^(\d{4})-[a-z0-9-]+\.sql$/

/**
 * Applies what is missing, all of it or nothing; returns what was noted. A database that a newer
 * Moraine made is refused.
 */
export async function migrate(engine: SqlEngine, more: Finishes = new Map()): Promise<Notes> {
  const migrations = await readMigrations(engine.name)
  return write(engine, async (transaction) => {
    const notes: string[] = []
    await engine.lockMigrations(transaction)
    const applied = await findAppliedNumber(transaction)
    const known = migrations.at(-1)?.number ?? 0
    if (applied > known) {
      throw new CatalogUnusableError({
        problem: `the database has schema ${applied}, and this Moraine knows ${known} at most`,
        remedy: 'start a newer Moraine or give another database',
      })
    }
    for (const migration of migrations.filter(({ number }) => number > applied)) {
      notes.push(...(await apply(transaction, migration, new Map([...FINISHES, ...more]))))
    }
    return notes
  })
}

async function readMigrations(engineName: string): Promise<readonly Migration[]> {
  const folder = new URL(`${engineName}/`, MIGRATIONS)
  const names = (await readdir(folder)).filter((name) => FILE_NAME.test(name)).sort()
  return await Promise.all(
    names.map(async (name) => ({
      number: Number(name.slice(0, 4)),
      name,
      statements: statementsOf(await readFile(new URL(name, folder), 'utf8')),
    })),
  )
}

function statementsOf(script: string): readonly string[] {
  const statements = script.split(/;[ \t\r]*\n/)
  return statements.filter((statement) => statement.replaceAll(/^--.*$/gm, '').trim() !== '')
}

async function findAppliedNumber(transaction: SqlTransaction): Promise<number> {
  await sql`create table if not exists moraine_migrations (
    number bigint not null primary key, name text not null
  )`.execute(transaction)
  const newest = await transaction
    .selectFrom('moraine_migrations')
    .select('number')
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst()
  return Number(newest?.number ?? 0n)
}

async function apply(
  transaction: SqlTransaction,
  migration: Migration,
  finishes: Finishes,
): Promise<Notes> {
  for (const statement of migration.statements) await sql.raw(statement).execute(transaction)
  const notes = (await finishes.get(migration.number)?.(transaction)) ?? []
  await transaction
    .insertInto('moraine_migrations')
    .values({ number: BigInt(migration.number), name: migration.name })
    .execute()
  return notes
}

/** Locations of the tables that are there, though several may share one. */
async function addLocations(transaction: SqlTransaction): Promise<Notes> {
  for (let after = ''; ; ) {
    const tables = await transaction
      .selectFrom('tables')
      .select(['table_uuid', 'location'])
      .where('table_uuid', '>', after)
      .orderBy('table_uuid')
      .limit(TABLES_AT_ONCE)
      .execute()
    const rows = tables.map((table) => {
      return { ...table, location_key: folderKey(table.location), keeps_files: 0n }
    })
    // Longer ones do not fit into PostgreSQL's indexes; new tables have none.
    const fitting = rows.filter((row) => Buffer.byteLength(row.location_key) <= KEY_BYTES_MAX)
    if (fitting.length > 0)
      await transaction.insertInto('table_locations').values(fitting).execute()
    const last = tables.at(-1)
    if (last === undefined) return []
    after = last.table_uuid
  }
}
