import { readdir, readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { CatalogUnusableError } from '../../catalog-unusable-error.ts'
import { type SqlEngine, type SqlTransaction, write } from './sql-engine.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly statements: readonly string[]
}

// The same place from src/catalog/sql/engine and from dist/catalog/sql/engine.
const MIGRATIONS = new URL('../../../../schemas/sql/', import.meta.url)
const FILE_NAME = /^(\d{4})-[a-z0-9-]+\.sql$/

/**
 * Applies what is missing, all of it or nothing. A database that a newer Moraine made is refused.
 */
export async function migrate(engine: SqlEngine): Promise<void> {
  const migrations = await readMigrations(engine.name)
  await write(engine, async (transaction) => {
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
      await apply(transaction, migration)
    }
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
  return script.split(/;[ \t\r]*\n/).filter((statement) => statement.trim() !== '')
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

async function apply(transaction: SqlTransaction, migration: Migration): Promise<void> {
  for (const statement of migration.statements) await sql.raw(statement).execute(transaction)
  await transaction
    .insertInto('moraine_migrations')
    .values({ number: BigInt(migration.number), name: migration.name })
    .execute()
}
