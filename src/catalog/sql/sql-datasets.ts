import { nameKey } from '../../core/table/name-key.ts'
import { DATASETS_NAMESPACE, hiddenTableName } from '../../core/table/reserved-namespace.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type {
  CreatedDataset,
  DatasetCard,
  DatasetCorrection,
  DatasetEnding,
  DatasetFinish,
  DatasetKey,
  DatasetOutcome,
  DatasetPreparation,
  DatasetPublication,
  DatasetRecord,
  DatasetStore,
  ListDatasetsQuery,
  NewDataset,
} from '../dataset-store.ts'
import type { MutationOptions } from '../replay-store.ts'
import type { NewTable } from '../table-store.ts'
import { grantOwner } from './access/owner-grants.ts'
import { Refusal, read, type SqlEngine, type SqlTransaction } from './engine/sql-engine.ts'
import type { DatasetRow } from './engine/sql-schema.ts'
import { findDataset, listDatasets } from './find/dataset-queries.ts'
import { findTableVersion } from './find/find-table.ts'
import { keepPreparing, prepareDataset } from './mutation/dataset-preparation.ts'
import type { RaisedEvents } from './mutation/sql-raised-events.ts'
import { mutate } from './mutation/sql-replays.ts'
import { type Create, createNamedAhead } from './paths-ahead.ts'
import { newRow, recordOf } from './rows/dataset-rows.ts'
import { securablesOf } from './rows/dataset-securables.ts'
import { DefinitionCache } from './rows/definition-cache.ts'
import { decodeExact, encodeExact } from './rows/tagged-json.ts'
import { type CreationContext, insertTable, type MutationContext } from './sql-creations.ts'
import { type DropDeletions, deleteTable, doomAhead, forgetRest } from './sql-drops.ts'

export class SqlDatasets implements DatasetStore {
  readonly #engine: SqlEngine
  readonly #definitions = new DefinitionCache()

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async create(dataset: NewDataset, options: MutationOptions = {}): Promise<CreatedDataset> {
    // Nothing is made known ahead for one that is there, however often it is asked for.
    const { name, identity } = dataset
    const isThere = (await this.find({ name, identity })) !== undefined
    const table = isThere ? undefined : dataset.table
    return this.#createAhead(table, (ahead, isLarge) =>
      mutate(this.#engine, { ...options, isLarge }, (transaction, raised) =>
        createDataset(transaction, dataset, { ...this.#context(raised), ahead }),
      ),
    )
  }

  async find(key: DatasetKey): Promise<DatasetRecord | undefined> {
    const row = await read(this.#engine, (connection) => findDataset(connection, key))
    return row && recordOf(row)
  }

  async list(query: ListDatasetsQuery): Promise<readonly DatasetRecord[]> {
    const rows = await read(this.#engine, (connection) =>
      listDatasets(connection, query, this.#engine),
    )
    return rows.map(recordOf)
  }

  async listVersions(name: string, limit: number): Promise<readonly DatasetRecord[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('datasets')
        .selectAll()
        .where('name_key', '=', nameKey(name))
        .orderBy('version', 'desc')
        .limit(limit)
        .execute(),
    )
    return rows.map(recordOf)
  }

  async finish(
    finish: DatasetFinish,
    options: MutationOptions = {},
  ): Promise<'finished' | 'not-queued'> {
    return this.#createAhead('table' in finish ? finish.table : undefined, (ahead, isLarge) =>
      mutate(this.#engine, { ...options, isLarge }, (transaction, raised) =>
        finishDataset(transaction, finish, { ...this.#context(raised), ahead }),
      ),
    )
  }

  /** Makes something with a hidden table, or without one. */
  #createAhead<T>(table: NewTable | undefined, create: Create<T>): Promise<T> {
    if (table === undefined) return create(undefined, false)
    return createNamedAhead(this.#engine, { table }, create)
  }

  prepare(preparation: DatasetPreparation): Promise<DatasetRecord | undefined> {
    return mutate(this.#engine, {}, (transaction) => prepareDataset(transaction, preparation))
  }

  publish(publication: DatasetPublication, options: MutationOptions = {}): Promise<DatasetOutcome> {
    return mutate(this.#engine, options, (transaction, raised) =>
      publishDataset(transaction, publication, raised),
    )
  }

  describe(correction: DatasetCorrection, options: MutationOptions = {}): Promise<DatasetRecord> {
    return mutate(this.#engine, options, (transaction, raised) =>
      describeDataset(transaction, correction, raised),
    )
  }

  async end(ending: DatasetEnding, options: MutationOptions = {}): Promise<DatasetOutcome> {
    const { tableUuid, deletions = [] } = ending
    const engine = this.#engine
    const doomed = await doomAhead(engine, { tableUuid }, deletions)
    const isLarge = doomed.own.length > engine.rowsOnLoopMax
    const outcome = await mutate(engine, { ...options, isLarge }, (transaction, raised) =>
      endDataset(transaction, { ...ending, doomed }, this.#context(raised)),
    )
    if (outcome === 'changed') await forgetRest(engine, tableUuid)
    return outcome
  }

  async listDue({
    beforeMs,
    limit,
  }: {
    readonly beforeMs: number
    readonly limit: number
  }): Promise<readonly DatasetRecord[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('datasets')
        .selectAll()
        .where('expires_at_ms', '<', BigInt(Math.floor(beforeMs)))
        .where('ended_at_ms', 'is', null)
        .orderBy('expires_at_ms')
        .limit(limit)
        .execute(),
    )
    return rows.map(recordOf)
  }

  /** Nobody owns the hidden table, nor the namespace, before the dataset is published. */
  #context(raised: RaisedEvents): DatasetContext {
    const unowned = { principal: undefined, raise: raised.raise.bind(raised) }
    const engine = this.#engine
    return { engine, definitions: this.#definitions, raised: unowned, asked: raised.principal }
  }
}

type DatasetContext = MutationContext & {
  /** Who asked for the mutation. */
  readonly asked: string | undefined
}

type NewDatasetContext = DatasetContext & Pick<CreationContext, 'ahead'>

async function createDataset(
  transaction: SqlTransaction,
  dataset: NewDataset,
  context: NewDatasetContext,
): Promise<CreatedDataset> {
  const { table, sourceUuid, otherSources = [] } = dataset
  const securables = await securablesOf(transaction, [sourceUuid, ...otherSources])
  for (;;) {
    // Of the version that would come next another one may have been made in between.
    const { follows = await newestVersion(transaction, dataset.name) } = dataset
    const version = follows + 1
    const row = newRow(dataset, { ...securables, version, asked: context.asked })
    const inserted = await transaction
      .insertInto('datasets')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (inserted.numInsertedOrUpdatedRows === 1n) {
      const { table_uuid } = row
      const others = securables.others.map((securable) => ({ table_uuid, securable }))
      if (others.length > 0)
        await transaction.insertInto('dataset_sources').values(others).execute()
      if (table !== undefined) await addHiddenTable(transaction, { table, row }, context)
      return { outcome: 'created', dataset: recordOf(row) }
    }
    const living = await prolong(transaction, row)
    if (living !== undefined) return existing(living, row)
    if (dataset.follows !== undefined) await refuseOvertaken(transaction, { ...dataset, version })
    // Another one took the version in between.
  }
}

/** Throws `Refusal`. */
function existing(living: DatasetRow, { created_at_ms: now }: DatasetRow): CreatedDataset {
  const { expires_at_ms } = living
  const dataset = recordOf(living)
  if (expires_at_ms === null || expires_at_ms > now) return { outcome: 'exists', dataset }
  throw new Refusal<CreatedDataset>({ outcome: 'expired', dataset })
}

/** Throws `Refusal`, unless the version is gone again. */
async function refuseOvertaken(
  transaction: SqlTransaction,
  { name, version }: { readonly name: string; readonly version: number },
): Promise<void> {
  const row = await findDataset(transaction, { name, version })
  if (row === undefined) return
  throw new Refusal<CreatedDataset>({ outcome: 'overtaken', dataset: recordOf(row) })
}

async function newestVersion(transaction: SqlTransaction, name: string): Promise<number> {
  const { version } = await transaction
    .selectFrom('datasets')
    .select((column) => column.fn.max<bigint | null>('version').as('version'))
    .where('name_key', '=', nameKey(name))
    .executeTakeFirstOrThrow()
  return Number(version ?? 0n)
}

/** The one with this identity that lives; one that has expired already is not prolonged. */
async function prolong(
  transaction: SqlTransaction,
  { name_key, living_identity, expires_at_ms, created_at_ms }: DatasetRow,
): Promise<DatasetRow | undefined> {
  const living = () =>
    transaction
      .updateTable('datasets')
      .where('name_key', '=', name_key)
      .where('living_identity', '=', living_identity)
  if (expires_at_ms !== null) {
    await living()
      .set({ expires_at_ms })
      .where('expires_at_ms', '<', expires_at_ms)
      .where('expires_at_ms', '>', created_at_ms)
      .execute()
  }
  return living()
    .set((column) => ({ version: column.ref('version') }))
    .returningAll()
    .executeTakeFirst()
}

async function addHiddenTable(
  transaction: SqlTransaction,
  { table, row }: { readonly table: NewTable; readonly row: Pick<DatasetRow, 'name' | 'version'> },
  context: CreationContext,
): Promise<void> {
  const name = hiddenTableName(row.name, Number(row.version))
  const state = { ...table.state, namespace: DATASETS_NAMESPACE, name }
  try {
    await insertTable(transaction, { ...table, state }, context)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new Error(`the hidden table ${name} could not be made: ${error.outcome}`)
  }
}

async function finishDataset(
  transaction: SqlTransaction,
  finish: DatasetFinish,
  context: NewDatasetContext,
): Promise<'finished' | 'not-queued'> {
  const isReady = 'table' in finish
  const facts = isReady ? await keepPreparing(transaction, finish) : undefined
  const row = await transaction
    .updateTable('datasets')
    .set(
      isReady
        ? { state: 'ready', facts: encodeExact(facts) }
        : {
            state: 'failed',
            problem: encodeExact(finish.problem),
            living_identity: null,
            ended_at_ms: BigInt(Math.ceil(finish.nowMs)),
          },
    )
    .where('table_uuid', '=', finish.tableUuid)
    .where('state', '=', 'queued')
    .returning(['name', 'version'])
    .executeTakeFirst()
  if (row === undefined) return 'not-queued'
  if (isReady) await addHiddenTable(transaction, { table: finish.table, row }, context)
  return 'finished'
}

async function publishDataset(
  transaction: SqlTransaction,
  { tableUuid, nowMs }: DatasetPublication,
  raised: RaisedEvents,
): Promise<DatasetOutcome> {
  const row = await transaction
    .updateTable('datasets')
    .set({
      published_at_ms: BigInt(Math.ceil(nowMs)),
      expires_at_ms: null,
      securable: tableUuid,
    })
    .where('table_uuid', '=', tableUuid)
    .where('state', '=', 'ready')
    .where('ended_at_ms', 'is', null)
    .where('published_at_ms', 'is', null)
    .returning(['name', 'version'])
    .executeTakeFirst()
  if (row === undefined) return 'not-living'
  await grantOwner(transaction, tableUuid, { principal: raised.principal, isThere: true })
  raised.raise({
    type: 'moraine.permissions.changed.v1',
    subject: tableUuid,
    name: formatTableName(DATASETS_NAMESPACE, hiddenTableName(row.name, Number(row.version))),
    version: 0,
    data: { granted: [], revoked: [] },
  })
  return 'changed'
}

async function describeDataset(
  transaction: SqlTransaction,
  { tableUuid, card }: DatasetCorrection,
  raised: RaisedEvents,
): Promise<DatasetRecord> {
  const ofDataset = () =>
    transaction.updateTable('datasets').where('table_uuid', '=', tableUuid).returningAll()
  // Who corrects it at the same time waits for the row.
  const row = await ofDataset()
    .set((column) => ({ version: column.ref('version') }))
    .executeTakeFirstOrThrow()
  const before: DatasetCard = decodeExact(row.card)
  const after = { ...before, ...card }
  const changed = await ofDataset()
    .set({ card: encodeExact(after) })
    .executeTakeFirstOrThrow()
  raised.raise({
    type: 'moraine.dataset.changed.v1',
    subject: tableUuid,
    name: formatTableName(DATASETS_NAMESPACE, hiddenTableName(row.name, Number(row.version))),
    version: 0,
    data: { before, after },
  })
  return recordOf(changed)
}

async function endDataset(
  transaction: SqlTransaction,
  { tableUuid, nowMs, ifExpiredBy, doomed }: DatasetEnding & { readonly doomed: DropDeletions },
  context: DatasetContext,
): Promise<DatasetOutcome> {
  let update = transaction
    .updateTable('datasets')
    .set({ state: 'expired', living_identity: null, ended_at_ms: BigInt(Math.ceil(nowMs)) })
    .where('table_uuid', '=', tableUuid)
    .where('ended_at_ms', 'is', null)
  if (ifExpiredBy !== undefined) {
    update = update.where('expires_at_ms', '<=', BigInt(Math.floor(ifExpiredBy)))
  }
  const ended = await update.executeTakeFirst()
  if (ended.numUpdatedRows === 0n) throw new Refusal<DatasetOutcome>('not-living')
  const expectedVersion = await findTableVersion(transaction, tableUuid)
  if (expectedVersion === undefined) return 'changed'
  const dropped = { tableUuid, expectedVersion, deletions: doomed, isGone: true }
  await deleteTable(transaction, dropped, context)
  return 'changed'
}
