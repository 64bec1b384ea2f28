import type { Stores } from '../../catalog/catalog.ts'
import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { readDescription } from '../../core/table-properties.ts'
import type { Call } from '../../http/route.ts'
import { ownAddress } from '../../http/serve/own-address.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import { fileNameOf, mediaTypeOf } from '../dumps/dump-key.ts'
import {
  type DumpCall,
  type DumpService,
  findDumpAt,
  pinnedCall,
  pinnedPath,
} from '../dumps/http/dump-resource.ts'
import { notReady, openDump, waitForIndex } from '../dumps/http/open-bytes.ts'
import { factsOf } from './dataset-facts.ts'
import { pathOf } from './dataset-response.ts'
import type { CitedData, CitedFile } from './documents/cited-data.ts'
import type { FilesWish } from './documents/document-kinds.ts'
import {
  type FindDependencies,
  getReadyDataset,
  type NamedDataset,
  ownSnapshotOf,
} from './find-dataset.ts'

export interface CiteService extends Stores<'datasets' | 'tables' | 'snapshots'> {
  readonly ambient: FindDependencies['ambient']
  dumpService(): DumpService
  readonly publicUrl?: string | undefined
}

type CiteCall = Omit<DumpCall, 'param'> & Pick<Call<unknown, unknown>, 'authorize'>

const FORMATS = ['csv', 'parquet'] as const

/** Throws as `getReadyDataset`. */
export async function citeDataset(
  service: CiteService,
  call: CiteCall,
  { named, files }: { readonly named: NamedDataset; readonly files: FilesWish },
): Promise<CitedData> {
  const dataset = await getReadyDataset(service, named, call)
  const { facts, card, name, tableUuid } = dataset
  const snapshotId = await ownSnapshotOf(service, dataset)
  const base = ownAddress(call.request, service.publicUrl)
  const url = base + pathOf(dataset)
  return {
    ...{ ...card, url, name, title: card.title ?? name, version: String(dataset.version) },
    publisher: new URL(base).host,
    issuedAtMs: issuedAtMs(dataset),
    snapshotAtMs: facts.snapshotAtMs,
    columns: facts.columns,
    files: await filesOf(service, call, {
      ...{ tableUuid, snapshotId, files },
      urlOf: ({ format }) => `${url}/download?format=${format}`,
    }),
  }
}

function issuedAtMs({ publishedAtMs, createdAtMs }: DatasetRecord): number {
  return publishedAtMs ?? createdAtMs
}

/** The same of a snapshot of a table, whose id names its version. */
export async function citeSnapshot(
  service: CiteService,
  call: CiteCall,
  {
    table,
    snapshotIdentifier,
    files,
  }: { readonly table: string; readonly snapshotIdentifier: string; readonly files: FilesWish },
): Promise<CitedData> {
  const state = await getTable(service.catalog, table)
  const selector = { snapshotIdentifier }
  const snapshot = await getSnapshot(service, state, selector)
  if (snapshot === undefined) {
    throw new CatalogError('snapshot-not-found', `${table} has no snapshot yet`)
  }
  const { snapshotId, timestampMs } = snapshot
  const { tableUuid, properties } = state.definition
  const base = ownAddress(call.request, service.publicUrl)
  const name = formatTableName(state.namespace, state.name)
  const schema = schemaOfReading(state, { snapshotIdentifier: String(snapshotId) }, snapshot)
  return {
    ...{ name, title: name, description: readDescription(properties).description },
    ...{ creators: [], license: null, keywords: [] },
    url: `${base}/v1/tables/${tableUuid}/${snapshotId}`,
    version: String(snapshotId),
    publisher: new URL(base).host,
    issuedAtMs: timestampMs,
    snapshotAtMs: timestampMs,
    columns: factsOf(snapshot, schema).columns,
    files: await filesOf(service, call, {
      ...{ tableUuid, snapshotId, files },
      urlOf: ({ path }) => base + path,
    }),
  }
}

/** A format that cannot have a type of the columns is left out. */
async function filesOf(
  { dumpService }: CiteService,
  cited: CiteCall,
  {
    tableUuid,
    snapshotId,
    files: wish,
    urlOf,
  }: {
    readonly tableUuid: string
    readonly snapshotId: bigint
    readonly files: FilesWish
    urlOf(file: { readonly format: CitedFile['format']; readonly path: string }): string
  },
): Promise<readonly CitedFile[]> {
  const service = dumpService()
  const call = pinnedCall(cited, { tableUuid, snapshotId })
  const files: CitedFile[] = []
  for (const format of FORMATS) {
    const choice = { format, compression: 'none' } as const
    const resource = await findDumpAt(service, call, choice).catch(unlessImpossible)
    if (resource === undefined) continue
    const { target } = resource
    const index =
      wish === 'found'
        ? await service.dumps.find(target)
        : await waitForIndex(
            await openDump(service, call, target),
            service.streams.limits.indexWaitMs,
            call.closed,
          )
    if (index === undefined && wish === 'made') throw notReady(target)
    files.push({
      ...{ format, fileName: fileNameOf(target), mediaType: mediaTypeOf(target) },
      url: urlOf({ format, path: pinnedPath(target) }),
      bytes: index?.lengthBytes,
      sha256: index?.sha256,
    })
  }
  return files
}

function unlessImpossible(error: unknown): undefined {
  if (error instanceof CatalogError && error.code === 'not-implemented') return undefined
  throw error
}
