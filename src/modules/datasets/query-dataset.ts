import type { Stores } from '../../catalog/catalog.ts'
import { type DatasetFacts, type DatasetRecord, isUnfinished } from '../../catalog/dataset-store.ts'
import type { JobRecord } from '../../catalog/job-store.ts'
import type { NewTable } from '../../catalog/table-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import {
  PARTITION_FIELD_ID_BASE,
  UNPARTITIONED,
  UNSORTED,
} from '../../core/partition/partition-spec.ts'
import { bindQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import { requireTableNames } from '../../core/query/result-names.ts'
import { highestFieldId } from '../../core/schema/schema-lookup.ts'
import { getSchema, type TableDefinition } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import type { TableQuery } from '../../lake/convert/converter.ts'
import { pastDeletions } from '../../lake/deletion/past-deletions.ts'
import {
  type PendingUploadDependencies,
  PendingUploads,
} from '../../lake/deletion/pending-uploads.ts'
import { inspectPart } from '../../lake/file/inspect-file.ts'
import {
  type JobFence,
  type JobKind,
  JobNotYet,
  type RunningJob,
} from '../../lake/jobs/job-kind.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { causeOf, isLasting, LastingError, type StoreChecks } from '../../lake/jobs/lasting.ts'
import { writeSnapshot } from '../../lake/snapshot/snapshot-writer.ts'
import { defaultLocation, makeTableFolders } from '../../lake/table/table-location.ts'
import { getSnapshot, getTable } from '../../lake/table/table-lookup.ts'
import type { OnRead, QueryLimits } from '../rows/limits/query-limits.ts'
import type { StructuredQuery } from '../rows/query-shapes.ts'
import {
  asCostly,
  planSources,
  type QuerySource,
  type RowsDependencies,
} from '../rows/query-source.ts'
import { requestOf } from '../rows/run-query.ts'
import { type NewTableDependencies, newState } from '../tables/tables.ts'
import { factsOf } from './dataset-facts.ts'
import { identityOf, requireSameReading, schemaAsAsked } from './dataset-identity.ts'
import { isLiving } from './end-dataset.ts'
import {
  endCancelled,
  type FormatDependencies,
  makeFormats,
  makeNoFormats,
} from './prepare-formats.ts'
import { sqlOf, sqlQueryOfDataset } from './sql-query.ts'
import { type WrittenRows, writeShards } from './write-shards.ts'

export const KIND = 'dataset'
/** Attempts to make the rows; those that end with their process count. */
const ATTEMPTS_MAX = 5
/** A text of a user may do more than any query of a table. */
const SQL_MS_MAX = 60_000
/** Footers that are read at once of the files that were made. */
const FOOTERS_AT_ONCE = 4
/** How long a job waits while its caller has enough queries running. */
const NOT_YET_MS = 2_000

/** What a query asks for, without what it asks. */
export type DatasetQuery = Omit<StructuredQuery, 'source'>

export type QueryDatasetDependencies = RowsDependencies &
  CommitDependencies &
  NewTableDependencies &
  PendingUploadDependencies &
  StoreChecks &
  Stores<'datasets'> & { readonly limits: QueryLimits }

/** Who asked for rows, as `askerOf` has it, and what their estimate says that they read. */
export interface AskedRows {
  readonly asker: string
  readonly costBytes: number
}

/** Names the dataset that a job makes. */
interface JobInput extends AskedRows {
  readonly tableUuid: string
}

/** Asks for the rows of a dataset that is queued; joins the job that makes it. */
export async function askForRows(
  jobs: Jobs,
  { tableUuid }: Pick<DatasetRecord, 'tableUuid'>,
  asked: AskedRows,
): Promise<JobRecord> {
  const input: JobInput = { ...asked, tableUuid }
  const { asker } = asked
  const wish = { kind: KIND, key: tableUuid, input }
  return (await jobs.submit(asker === '' ? wish : { ...wish, asker })).job
}

/** The job that makes the rows, or was the last to try. */
export function findRowsJob(
  jobs: Jobs,
  { tableUuid }: Pick<DatasetRecord, 'tableUuid'>,
): Promise<JobRecord | undefined> {
  return jobs.findByKey({ kind: KIND, key: tableUuid })
}

/**
 * Runs the query of a dataset, gives the dataset its hidden table, and makes the formats that it is
 * to be ready in.
 */
export function datasetJob(deps: QueryDatasetDependencies & FormatDependencies): JobKind<JobInput> {
  return {
    kind: KIND,
    // The last one only says that there are no more.
    attemptsMax: ATTEMPTS_MAX + 1,
    input: inputOf,
    async run(job, fence, signal) {
      const { input, attempt, report } = job
      const { tableUuid } = input
      const dataset = await deps.catalog.datasets.find({ tableUuid })
      // Of an attempt that could not tell it.
      if (dataset?.state === 'ready') deps.publisher.schedule(tableUuid)
      if (dataset === undefined || !isUnfinished(dataset))
        return { state: dataset?.state ?? 'expired' }
      // Nobody will read them.
      if (!isLiving(dataset, deps.ambient.nowMs())) return { state: 'expired' }
      const isQueued = dataset.state === 'queued'
      const { rows, bytes } = isQueued
        ? await finishRows(deps, dataset, { job, fence, signal })
        : dataset.facts
      if (attempt > ATTEMPTS_MAX) await makeNoFormats(deps, tableUuid)
      await makeFormats(deps, tableUuid, { signal, report })
      return { rows, bytes }
    },
    async cancelled({ tableUuid }) {
      await endCancelled(deps, tableUuid)
    },
  }
}

interface Attempt {
  readonly job: RunningJob<JobInput>
  readonly fence: JobFence
  readonly signal: AbortSignal
}

/** Makes the rows of a dataset that is queued, or says why there are none. */
async function finishRows(
  deps: QueryDatasetDependencies,
  dataset: DatasetRecord,
  { job: { input, attempt, report }, fence, signal }: Attempt,
): Promise<DatasetFacts> {
  const { datasets } = deps.catalog
  const { tableUuid } = dataset
  try {
    if (attempt > ATTEMPTS_MAX) throw gaveUp()
    const query = { ...input, key: tableUuid }
    const ran = await deps.limits.ifRoom(query, (onRead) =>
      makeRows(deps, dataset, { signal, onRead, report }),
    )
    if (ran === undefined) throw new JobNotYet(NOT_YET_MS)
    const made = ran.value
    await fence.confirm()
    // A file of an earlier attempt may have been deleted, and written again under its name.
    await pastDeletions(deps, (rewritten) =>
      datasets.finish({ tableUuid, ...made, table: { ...made.table, rewritten } }),
    )
    deps.publisher.schedule(tableUuid)
    return made.facts
  } catch (error) {
    const cause = await causeOf(deps, error)
    if (isLasting(cause)) {
      const { code, message: detail, facts } = cause
      const problem = { code, detail, facts }
      await datasets.finish({ tableUuid, problem, nowMs: deps.ambient.nowMs() })
    }
    throw cause
  }
}

function gaveUp(): LastingError {
  const detail = `its rows could not be made in ${ATTEMPTS_MAX} attempts: ask for it again`
  return new LastingError('engine-failed', detail)
}

/** A query, and the snapshot that it reads. */
export interface DatasetRows
  extends Pick<TableQuery, 'definition' | 'readAs' | 'restriction' | 'query' | 'sources'> {
  readonly read: Omit<QuerySource, 'restriction'>
}

/**
 * The query of a dataset, on the snapshot that it was asked for. Throws if the source, or its
 * snapshot, is gone.
 */
export async function queryOfDataset(
  deps: RowsDependencies,
  { sourceUuid, snapshotId, facts, query: asked }: DatasetRecord,
  { signal }: Pick<Reading, 'signal'>,
): Promise<DatasetRows> {
  const state = await getTable(deps.catalog, sourceUuid)
  const snapshot = await getSnapshot(deps, state, { snapshotIdentifier: String(snapshotId) })
  const { definition } = state
  const schema = schemaAsAsked(definition, facts.schemaId)
  const wanted = asked as DatasetQuery
  const restriction = 'unrestricted'
  const query = bindQuery(requestOf(wanted), schema)
  const source = { state, snapshot, schema, restriction } as const
  const files = await planSources(deps, source, { filter: wanted.filter, signal })
  const readAs = { ...schema, fields: fieldsOfQuery(query, schema) }
  return { definition, readAs, restriction, query, sources: files, read: source }
}

interface Reading extends Pick<RunningJob<JobInput>, 'report'> {
  readonly signal: AbortSignal
  readonly onRead: OnRead
}

interface MadeRows {
  readonly table: NewTable
  readonly facts: DatasetFacts
}

async function makeRows(
  deps: QueryDatasetDependencies,
  dataset: DatasetRecord,
  reading: Reading,
): Promise<MadeRows> {
  const { tableUuid, name, facts } = dataset
  const folder = defaultLocation(deps, { name }, tableUuid)
  const place = async (path: string, location: string) => {
    await makeTableFolders(deps, { location: folder, properties: {} })
    await new PendingUploads(deps, tableUuid).add([location])
    await deps.objects.putFileIfAbsent(location, path)
  }
  const placing = { folder: `${folder}/data`, place }
  const { schema, locations } = await writeRows(deps, dataset, { ...reading, ...placing })
  const definition = definitionOf({ tableUuid, location: folder, schema })
  const made = await tableOf(deps, { definition, name, locations })
  const { snapshotAtMs, schemaId } = facts
  return { ...made, facts: { ...made.facts, snapshotAtMs, schemaId } }
}

interface Placing {
  readonly folder: string
  place(path: string, location: string): Promise<void>
}

/** Writes the rows as Parquet. */
async function writeRows(
  deps: QueryDatasetDependencies,
  dataset: DatasetRecord,
  { folder, place, report, ...reading }: Reading & Placing,
): Promise<WrittenRows> {
  const reader = { kind: 'dataset', name: dataset.name } as const
  const output = { format: 'parquet', runsAs: 'conversion', ...reading } as const
  const text = sqlOf(dataset)
  if (text !== undefined) {
    const { reads, asked, planned } = await sqlQueryOfDataset(deps, text, reading)
    requireSameReading(dataset, planned)
    const location = `${folder}/data-00000-${deps.ambient.newUuid()}.parquet`
    return await deps.holds.during(reader, reads, (held) =>
      asCostly(() =>
        deps.converter.querySql(
          { ...asked(held), ...output, timeoutMs: SQL_MS_MAX },
          async ({ schema }, path) => {
            requireTableNames(schema)
            await place(path, location)
            return { schema, locations: [location] }
          },
        ),
      ),
    )
  }
  const { read, ...found } = await queryOfDataset(deps, dataset, reading)
  const { readAs, sources: files } = found
  requireSameReading(dataset, [{ source: read, readAs, files }])
  const locations = await deps.holds.during(reader, [read], (held) =>
    writeShards(deps.objects, {
      ...{ query: found, folder, report, ambient: deps.ambient, signal: reading.signal },
      identity: identityOf(read, undefined),
      write: (sources, location) =>
        deps.converter.query({ ...found, ...output, held, sources }, (_result, path) =>
          place(path, location),
        ),
    }),
  )
  return { schema: found.query.result, locations }
}

function definitionOf({
  tableUuid,
  location,
  schema,
}: Pick<TableDefinition, 'tableUuid' | 'location'> & { readonly schema: Schema }): TableDefinition {
  return {
    formatVersion: 2,
    tableUuid,
    location,
    lastColumnId: highestFieldId(schema),
    schemas: [{ ...schema, schemaId: 0 }],
    currentSchemaId: 0,
    partitionSpecs: [UNPARTITIONED],
    defaultSpecId: 0,
    lastPartitionId: PARTITION_FIELD_ID_BASE,
    sortOrders: [UNSORTED],
    defaultSortOrderId: 0,
    properties: {},
  }
}

/** The table with the files as its one snapshot. */
async function tableOf(
  deps: QueryDatasetDependencies,
  {
    definition,
    name,
    locations,
  }: {
    readonly definition: TableDefinition
    readonly name: string
    readonly locations: readonly string[]
  },
): Promise<MadeRows> {
  const born = newState(deps, { namespace: [], name, definition })
  const added = await mapBounded(locations, FOOTERS_AT_ONCE, async (location) => {
    return (await inspectPart(deps.objects, definition, location, [])).dataFile
  })
  const change = { added, removedPaths: [], truncate: false }
  const prepared = await writeSnapshot(deps, born, { change, summary: {} })
  if (prepared === undefined) throw new Error('a snapshot with a file has changed nothing')
  const { snapshot, addedPaths, footers } = prepared
  const { snapshotId, timestampMs, sequenceNumber: lastSequenceNumber } = snapshot
  const state = {
    ...born,
    lastUpdatedMs: timestampMs,
    currentSnapshot: snapshot,
    lastSequenceNumber,
  }
  const log = { snapshots: [snapshot], snapshotLog: [{ timestampMs, snapshotId }] }
  const schema = getSchema(definition, 0)
  return {
    table: { state, ...log, addedPaths, footers },
    facts: factsOf(snapshot, schema),
  }
}

/** Jobs of older releases do not say who asked. */
export function inputOf(stored: unknown): JobInput {
  const { tableUuid, asker = '', costBytes = 0 } = (stored ?? {}) as Partial<JobInput>
  if (typeof tableUuid === 'string') return { tableUuid, asker, costBytes }
  throw new CatalogError('request-invalid', 'the input of the job does not name a dataset')
}
