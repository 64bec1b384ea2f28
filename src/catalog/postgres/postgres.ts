import { type Compilable, CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { CatalogUnusableError } from '../../core/catalog-unusable-error.ts'
import type { Catalog } from '../catalog.ts'
import { Damage } from '../sql/engine/damage.ts'
import {
  type FolderPlace,
  read,
  type SqlEngine,
  type SqlFailure,
  type SqlTransaction,
} from '../sql/engine/sql-engine.ts'
import type { Database } from '../sql/engine/sql-schema.ts'
import { DATABASE_MS } from '../sql/mutation/sql-raised-events.ts'
import { pathHash } from '../sql/rows/sql-keys.ts'
import { sqlCatalog } from '../sql/sql-catalog.ts'
import { ConnectionLostError, HeardClient, LIFT_LIMITS, PostgresPool } from './postgres-pool.ts'
import { PostgresTurns } from './postgres-turns.ts'

const INT8_OID = 20
const CONNECTIONS_MAX = 10
const HOLD_PATHS_MS_MAX = 1_000
const CONNECT_MS_MAX = 10_000
const CONTENTION_MS_MAX = 10_000
// Above the server's own limit for transactions, which answers with a reason; this one is for reads
// and for servers that fall silent.
const REPLY_MS_MAX = 35_000
// Of one statement. The protocol counts in 16 bits; this many are joined in some milliseconds, and
// others work in between.
const PARAMETERS_MAX = 10_000
/** "moraine" in ASCII: one lock for all who migrate a database. */
const MIGRATION_LOCK = 0x6d6f7261696e65n
/** Beside it, for all who give positions to events. */
const NUMBERING_LOCK = MIGRATION_LOCK + 1n

/**
 * Any server that speaks PostgreSQL's protocol and SQL. Nothing is asked of it until the first
 * call.
 */
export async function openPostgresCatalog(options: PostgresOptions): Promise<Catalog> {
  const { engine, config } = openPostgresEngine(options)
  const turns = new PostgresTurns(config)
  return sqlCatalog(engine, {
    turns,
    readClock: () => readClock(engine),
    beforeClose: () => turns.close(),
  })
}

export interface PostgresOptions {
  readonly url: string
  readonly connectionsMax?: number
  /** Called once, when the server reports damaged data. */
  readonly onDamage?: (cause: unknown) => void
}

/** What is below the catalog, and what else connects as it does. */
export function openPostgresEngine({
  url,
  connectionsMax = CONNECTIONS_MAX,
  onDamage,
}: PostgresOptions): { readonly engine: SqlEngine; readonly config: pg.PoolConfig } {
  const config: pg.PoolConfig = {
    connectionString: url,
    max: connectionsMax,
    application_name: 'moraine',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: REPLY_MS_MAX,
    keepAlive: true,
    Client: HeardClient,
    types: { getTypeParser: typeParser as pg.CustomTypesConfig['getTypeParser'] },
  }
  checkUrl(config)
  return { engine: postgresEngine(new pg.Pool(config), new Damage(onDamage)), config }
}

async function readClock(engine: SqlEngine): Promise<number> {
  const { rows } = await read(engine, (connection) =>
    sql<{ now_ms: bigint }>`select ${DATABASE_MS} as now_ms`.execute(connection),
  )
  const [row] = rows
  if (row === undefined) throw new Error('a query of one row returned none')
  return Number(row.now_ms)
}

/** The parser's own error would carry the URL, and so the password. */
function checkUrl(config: pg.PoolConfig): void {
  try {
    new pg.Client(config)
  } catch {
    throw new CatalogUnusableError({
      problem: 'the URL of the catalog database is not one of PostgreSQL',
      remedy: 'give one like postgres://<user>@<host>/<database>',
    })
  }
}

function typeParser(oid: number, format?: 'text' | 'binary'): unknown {
  return oid === INT8_OID ? BigInt : pg.types.getTypeParser(oid, format as 'text')
}

function postgresEngine(pool: pg.Pool, damage: Damage): SqlEngine {
  const connection = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: new PostgresPool(pool) }),
  })
  return {
    name: 'postgres',
    contentionMsMax: CONTENTION_MS_MAX,
    connection,
    transact: (work) => connection.transaction().execute(work),
    rowsOnLoopMax: Number.POSITIVE_INFINITY,
    failureOf: postgresFailure,
    damage,
    requireInPlace: () => undefined,
    lockMigrations: async (transaction) => {
      await requireDurable(transaction)
      // Before the lock: another replica may be at it for minutes.
      await sql.raw(LIFT_LIMITS).execute(transaction)
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction)
    },
    holdNamespaces,
    lockFolder,
    holdPaths,
    hasOwnClock: true,
    lockNumbering,
    pathOrder: 'path_hash',
    skipLocked: sql`for update skip locked`,
    hasText: (json, { member, texts }) =>
      sql`jsonb_exists_any(cast(${json} as jsonb) -> cast(${member} as text),
        array[${sql.join(texts)}]::text[])`,
    runTogether,
  }
}

/** Else a crash of the server takes back what was acknowledged, and deletions of files do not. */
async function requireDurable(transaction: SqlTransaction): Promise<void> {
  const { rows } = await sql<{
    durability: string
  }>`select current_setting('synchronous_commit') as durability`.execute(transaction)
  if (rows[0]?.durability !== 'off') return
  throw new CatalogUnusableError({
    problem: 'the catalog database has synchronous_commit off, and would lose acknowledged commits',
    remedy: 'set it for its role: ALTER ROLE <role> SET synchronous_commit = on',
  })
}

/**
 * Each statement after it sees all that was committed before the lock was had, whatever the
 * server's default.
 */
async function lockNumbering(transaction: SqlTransaction): Promise<void> {
  await sql`set transaction isolation level read committed`.execute(transaction)
  await sql`select pg_advisory_xact_lock(${NUMBERING_LOCK})`.execute(transaction)
}

/**
 * In the order in which commits take these locks, and before any row: then nobody waits for us who
 * has what we wait for.
 */
async function holdPaths(transaction: SqlTransaction): Promise<void> {
  await sql`set transaction isolation level read committed`.execute(transaction)
  await sql`set local lock_timeout = ${sql.lit(HOLD_PATHS_MS_MAX)}`.execute(transaction)
  await sql`lock table staged_files, known_paths in share mode`.execute(transaction)
}

async function holdNamespaces(
  transaction: SqlTransaction,
  namespaceKeys: readonly string[],
): Promise<boolean> {
  const held = await transaction
    .selectFrom('namespaces')
    .select('namespace_key')
    .where('namespace_key', 'in', namespaceKeys)
    .orderBy('namespace_key')
    // Whoever creates in them at the same time holds them, too.
    .forKeyShare()
    .execute()
  return held.length === namespaceKeys.length
}

/**
 * Folders above are shared among all that lock something in them, and the folder itself is not: who
 * locks `/a` waits for who locks `/a/b`, and those who lock `/a/b` and `/a/c` do not wait for each
 * other. All lock from the outermost folder inwards.
 */
async function lockFolder(
  transaction: SqlTransaction,
  { folder, above }: FolderPlace,
): Promise<void> {
  const shared = above.map((key) => sql`pg_advisory_xact_lock_shared(${pathHash(key)})`)
  const locks = [...shared, sql`pg_advisory_xact_lock(${pathHash(folder)})`]
  await sql`select ${sql.join(locks)}`.execute(transaction)
}

/** As parts of one statement, where its limit allows: a round trip costs more than the work. */
async function runTogether(
  transaction: SqlTransaction,
  statements: Iterable<Compilable>,
): Promise<readonly unknown[]> {
  let together: CompiledQuery[] = []
  let parameterCount = 0
  for (const statement of statements) {
    const compiled = statement.compile()
    const isTooLong = parameterCount + compiled.parameters.length > PARAMETERS_MAX
    if (isTooLong && together.length > 0) {
      await transaction.executeQuery(joined(together))
      together = []
      parameterCount = 0
    }
    together.push(compiled)
    parameterCount += compiled.parameters.length
  }
  if (together.length === 0) return []
  return (await transaction.executeQuery(joined(together))).rows
}

/** `with part_0 as (insert ...), part_1 as (insert ...) insert ...` */
function joined(statements: readonly CompiledQuery[]): CompiledQuery {
  const parameters: unknown[] = []
  const parts = statements.map((statement) => {
    // Placeholders are the only `$` of our statements: names are plain, values are parameters.
    const shift = parameters.length
    parameters.push(...statement.parameters)
    return statement.sql.replace(/\$(\d+)/g, (_, number) => `$${Number(number) + shift}`)
  })
  const named = parts.slice(0, -1).map((part, index) => `part_${index} as (${part})`)
  const before = named.length === 0 ? '' : `with ${named.join(', ')} `
  return CompiledQuery.raw(before + parts.slice(-1).join(''), parameters)
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const FAILURE_BY_SQLSTATE: Readonly<Record<string, SqlFailure>> = {
  '25006': 'read-only', // A standby, or a primary that is being switched over.
  '23505': 'unique-violation',
  '40001': 'contention', // Serialization failure.
  '40P01': 'contention', // Deadlock.
  '53000': 'overloaded', // Not enough of something,
  '53400': 'overloaded', // or of what the configuration allows.
  '53100': 'storage-full',
  '53200': 'overloaded', // Out of memory.
  '53300': 'overloaded', // Too many connections.
  '55P03': 'overloaded', // Lock not available in time.
  '57014': 'overloaded', // Statement timeout.
  '57P01': 'connection-lost', // The server is stopped,
  '57P02': 'connection-lost', // has crashed,
  '57P03': 'connection-lost', // or is starting.
  '57P04': 'connection-lost', // The database was dropped.
  '57P05': 'connection-lost', // Idle for too long.
  '25P03': 'connection-lost', // Idle for too long within a transaction.
  '25P04': 'connection-lost', // A transaction took too long.
  XX001: 'damaged', // Data,
  XX002: 'damaged', // or an index.
}

function postgresFailure(error: unknown): SqlFailure {
  if (error instanceof ConnectionLostError) return 'connection-lost'
  if (!(error instanceof pg.DatabaseError)) return 'other'
  const sqlState = error.code ?? ''
  return sqlState.startsWith('08') ? 'connection-lost' : (FAILURE_BY_SQLSTATE[sqlState] ?? 'other')
}
