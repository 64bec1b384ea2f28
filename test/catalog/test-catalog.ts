import { type PostgresServer, startPostgres } from './postgres-server.ts'

/** Where tests have their catalog: `TEST_CATALOG` is postgres, or not set for SQLite. */
const name = process.env['TEST_CATALOG'] ?? ''
if (name !== '' && name !== 'postgres') {
  throw new Error(`TEST_CATALOG is ${name}: it can be postgres`)
}

let starting: Promise<PostgresServer> | undefined
const databases = new Map<string, Promise<string>>()

/**
 * Settings of a service whose catalog is in the database that is tested: one server a test file,
 * one database a home.
 */
export async function catalogSettings(home: string): Promise<Record<string, string>> {
  if (name === '') return {}
  starting ??= startPostgres()
  const server = await starting
  const database = databases.get(home) ?? server.newDatabase()
  databases.set(home, database)
  return { MORAINE_CATALOG: await database }
}

if (name !== '') {
  afterAll(async () => (await starting)?.stop())
}
