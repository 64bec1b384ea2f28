import type { Stores } from '../../catalog/catalog.ts'
import {
  type CreatedDataset,
  type DatasetCard,
  type DatasetRecord,
  isUnfinished,
  type NewDataset,
} from '../../catalog/dataset-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { bindQuery, canonicalQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import { requireTableNames } from '../../core/query/result-names.ts'
import type { KeptWithEffect } from '../../core/replay.ts'
import { DATASETS_NAMESPACE, hiddenUuidOf } from '../../core/table/reserved-namespace.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { makeTableFolders } from '../../lake/table/table-location.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import type { DumpFormat } from '../dumps/format/dump-index.ts'
import { requestOf } from '../rows/run-query.ts'
import { newClone } from '../tables/clone-table.ts'
import type { NewTableDependencies } from '../tables/tables.ts'
import { factsAhead, factsOf } from './dataset-facts.ts'
import { automaticName, identityOf, readingDigestsOf } from './dataset-identity.ts'
import { type Asker, nameTaken, requireOwnName } from './dataset-names.ts'
import { TTL_SECONDS_DEFAULT } from './dataset-shapes.ts'
import { type EndDependencies, endDataset, isLiving } from './end-dataset.ts'
import { isVisible } from './find-dataset.ts'
import { type AskedRows, askForRows, type DatasetQuery } from './query-dataset.ts'

export type MakeDependencies = NewTableDependencies &
  Stores<'datasets' | 'snapshots'> &
  EndDependencies & { readonly jobs: Jobs }

export interface DatasetWish {
  /** `undefined`: it is called after what it is made of, and needs nobody's leave. */
  readonly name: string | undefined
  readonly asker: Asker
  readonly source: string
  readonly selector: SnapshotSelector
  /** `undefined`: all rows. */
  readonly query: DatasetQuery | undefined
  readonly card: DatasetCard
  readonly ttlMs: number
  /** To be made before it counts as ready. */
  readonly formats?: readonly DumpFormat[] | undefined
  /** Who asks for the rows of a query. */
  readonly asked?: AskedRows | undefined
}

/** What a dataset has that nobody has described: its name tells what it is made of. */
export const UNDESCRIBED: Pick<DatasetWish, 'name' | 'card' | 'ttlMs'> = {
  name: undefined,
  card: { title: null, description: null, creators: [], license: null, keywords: [] },
  ttlMs: TTL_SECONDS_DEFAULT * 1000,
}

/**
 * The dataset of a whole snapshot is a hidden clone of it, which has the same files; that of a
 * query is queued, and a job makes its rows.
 */
export async function makeDataset(
  deps: MakeDependencies,
  { name, asker, source: table, selector, query, card, ttlMs, asked, formats = [] }: DatasetWish,
  kept: KeptOf,
): Promise<CreatedDataset> {
  const source = await getTable(deps.catalog, table)
  const sourceFound = { asked: table, tableUuid: source.definition.tableUuid }
  await asker.authorizeFound('select', sourceFound)
  const snapshot = await getSnapshot(deps, source, selector)
  if (snapshot === undefined) throw noSnapshot(source)
  const schema = schemaOfReading(source, selector, snapshot)
  const { tableUuid: sourceUuid } = source.definition
  const { snapshotId } = snapshot
  const { schemaId } = schema
  const bound = query === undefined ? undefined : bindQuery(requestOf(query), schema)
  if (bound !== undefined) requireTableNames(bound.result)
  const canonical = bound === undefined ? undefined : canonicalQuery(bound)
  const identity = identityOf({ state: source, snapshot, schema }, canonical)
  const called = name ?? (await unnamed(deps, identity, asker))
  const tableUuid = hiddenUuidOf(deps.ambient.newUuid())
  const wished = {
    ...{ tableUuid, name: called, identity, sourceUuid, snapshotId, card },
    sourceName: formatTableName(source.namespace, source.name),
    query,
    facts:
      bound === undefined
        ? factsOf(snapshot, schema)
        : {
            ...factsAhead(bound, { snapshotAtMs: snapshot.timestampMs, schemaId }),
            ...readingDigestsOf([
              {
                source: { state: source, snapshot, schema },
                readAs: { ...schema, fields: fieldsOfQuery(bound, schema) },
              },
            ]),
          },
    table:
      bound === undefined
        ? newClone(deps, source, {
            ...{ namespace: DATASETS_NAMESPACE, name: called, tableUuid, found: snapshot },
            currentSchemaId: schemaId,
          })
        : undefined,
  }
  const isNamed = name !== undefined
  const more = { ttlMs, asked, asker, isNamed, formats }
  return await makeQueued(deps, { ...wished, ...more }, kept)
}

/**
 * What a dataset without a name is called. One that its owner has published has readers of its own:
 * whoever is none of them is not shown it, and gets another with the same rows.
 */
export async function unnamed(
  { catalog }: Pick<MakeDependencies, 'catalog'>,
  identity: string,
  asker: Asker,
): Promise<string> {
  for (let nth = 0; ; nth++) {
    const name = automaticName(identity, nth)
    const same = await catalog.datasets.find({ name, identity })
    if (same === undefined || (await mayShow(same, asker))) return name
  }
}

/** Throws `dataset-name-taken` for one that others have published, and the asker may not read. */
async function requireShown(same: DatasetRecord, asker: Asker): Promise<void> {
  if (!(await mayShow(same, asker))) throw nameTaken(same.name)
}

function mayShow(same: DatasetRecord, { authorize }: Asker): Promise<boolean> {
  return isVisible(same, { dataset: same.name }, { authorize })
}

const NOBODY: AskedRows = { asker: '', costBytes: 0 }

/** Asks for the rows and formats, if they are not there yet. */
export async function makeQueued(
  deps: MakeDependencies,
  {
    asked = NOBODY,
    formats,
    ...wished
  }: Wished & {
    readonly asked: AskedRows | undefined
    readonly formats: readonly DumpFormat[]
  },
  kept: KeptOf,
): Promise<CreatedDataset> {
  const facts = formats.length === 0 ? wished.facts : { ...wished.facts, preparing: formats }
  const created = await keep(deps, { ...wished, facts }, kept)
  const { outcome, dataset } = created
  // Again, if whoever asked first was interrupted here.
  if (isUnfinished(dataset)) await askForRows(deps.jobs, dataset, asked)
  const hasTable = dataset.state !== 'queued'
  if (hasTable && outcome === 'created') deps.publisher.schedule(wished.tableUuid)
  return created
}

/**
 * The response to be kept for a request whose dataset this is to be; with a version, it is there
 * already as that.
 */
export type KeptOf = (
  wished: Pick<NewDataset, 'name' | 'identity' | 'tableUuid'>,
  version: number | undefined,
) => KeptWithEffect

interface Wished extends Omit<NewDataset, 'createdAtMs' | 'expiresAtMs'> {
  readonly ttlMs: number
  readonly asker: Asker
  /** Whether the name was given, and must be the asker's. */
  readonly isNamed: boolean
}

/** Ends the one of before that has expired, if need be. */
async function keep(
  deps: MakeDependencies,
  { ttlMs, asker, isNamed, ...wished }: Wished,
  kept: KeptOf,
): Promise<CreatedDataset> {
  const { name, identity, table } = wished
  for (;;) {
    const nowMs = deps.ambient.nowMs()
    // Before all else: who makes another version from here on is found out.
    const [newest] = await deps.catalog.datasets.listVersions(name, 1)
    const same = await findLiving(deps, { name, identity, nowMs })
    if (same !== undefined) await requireShown(same, asker)
    else if (isNamed) await requireOwnName(deps, name, { nowMs, asker })
    // A look ahead: most who ask twice leave no empty folder.
    if (table !== undefined && same === undefined)
      await makeTableFolders(deps, table.state.definition)
    const created = await deps.catalog.datasets.create(
      {
        ...{ ...wished, createdAtMs: nowMs, expiresAtMs: nowMs + ttlMs },
        ...(isNamed && { follows: newest?.version ?? 0 }),
      },
      kept(wished, same?.version),
    )
    const { outcome, dataset } = created
    if (outcome === 'expired') await endDataset(deps, dataset, { ifExpiredBy: nowMs })
    else if (outcome !== 'overtaken') return created
  }
}

async function findLiving(
  { catalog }: Pick<MakeDependencies, 'catalog'>,
  { nowMs, ...key }: { readonly name: string; readonly identity: string; readonly nowMs: number },
): Promise<DatasetRecord | undefined> {
  const same = await catalog.datasets.find(key)
  return same !== undefined && isLiving(same, nowMs) ? same : undefined
}

export function noSnapshot({ namespace, name }: TableState): CatalogError {
  const table = formatTableName(namespace, name)
  return new CatalogError('snapshot-not-found', `${table} has no snapshot yet: add rows first`, {
    facts: { table },
  })
}
