import type { Stores } from '../../../catalog/catalog.ts'
import { MAIN_BRANCH } from '../../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../../core/table/snapshot-selector.ts'
import { givenSelectors, selectorOf } from '../../../http/common-shapes.ts'
import { contentDisposition } from '../../../http/http-fields.ts'
import type { AuthorizeFound } from '../../../http/permission.ts'
import { httpDate, type Validators } from '../../../http/preconditions.ts'
import { requestInvalid } from '../../../http/problem.ts'
import type { Call } from '../../../http/route.ts'
import type { Jobs } from '../../../lake/jobs/jobs.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { NO_SNAPSHOT_ID, versionText } from '../dump-folder.ts'
import {
  type DumpFormatChoice,
  type DumpTarget,
  fileNameOf,
  formOf,
  mediaTypeOf,
  versionOf,
} from '../dump-key.ts'
import { findChangeTime, getDumpTarget } from '../dump-target.ts'
import type { Dumps } from '../dumps.ts'
import type { DumpFormat } from '../format/dump-index.ts'
import type { DumpLinks } from '../link/dump-links.ts'
import type { SourceWatch } from '../source/source-watch.ts'
import type { DumpStreams } from './dump-streams.ts'

/** The dump that an address leads to at this moment. */
export interface DumpResource {
  readonly target: DumpTarget
  /** Whether the address may lead to another snapshot later. */
  readonly isMoving: boolean
  /** The edition that the address names: without one, it names a snapshot and not its bytes. */
  readonly asked: string | undefined
  readonly validators: Validators
  readonly redirect: Redirect
}

/** Whether the client is sent to the store: where it helps, in any case, or never. */
export type Redirect = 'auto' | 'always' | 'never'

/** Everything that the routes of dumps use. */
export interface DumpService
  extends Stores<'tables' | 'snapshots'>,
    Pick<LakeServices, 'ambient' | 'objects'> {
  readonly jobs: Jobs
  readonly dumps: Dumps
  readonly links: DumpLinks
  readonly streams: DumpStreams
  readonly watch: SourceWatch
}

export type DumpCall = Pick<
  Call<unknown, unknown>,
  'accepts' | 'closed' | 'param' | 'policyOn' | 'principal' | 'request' | 'requireOwnSite'
> & {
  /** Absent where the table is named by its UUID, for which was asked. */
  readonly authorizeFound?: AuthorizeFound
}

/** A call for the dump of one snapshot, whatever its own path is. */
export function pinnedCall(
  { accepts, closed, policyOn, principal, request, requireOwnSite }: Omit<DumpCall, 'param'>,
  { tableUuid, snapshotId }: { readonly tableUuid: string; readonly snapshotId: bigint },
): DumpCall {
  const parameters = { table_identifier: tableUuid, snapshot_identifier: String(snapshotId) }
  const param = (name: string) => parameters[name as keyof typeof parameters]
  return { accepts, closed, policyOn, principal, request, requireOwnSite, param }
}

/** Which dump a request is for. */
export interface Choice {
  /** Instead of the one that the path names. */
  readonly table?: string | undefined
  readonly format: DumpFormat
  readonly compression: DumpFormatChoice['compression']
  readonly as_at?: number | undefined
  readonly snapshot_id?: string | undefined
  readonly ref?: string | undefined
  readonly schema_id?: string | undefined
  readonly edition?: string | undefined
  /** `never` by default. */
  readonly redirect?: Redirect | undefined
  readonly bom?: boolean | undefined
}

const NUMERIC = /^(\d{1,19}|-1)$/

/** The dump of a table at the snapshot that the query selects. */
export async function findDump(
  service: DumpService,
  call: DumpCall,
  choice: Choice,
): Promise<DumpResource> {
  const given = givenSelectors(choice)
  if (given.length > 1) {
    throw requestInvalid([{ path: 'query', message: `give only one of ${given.join(', ')}` }])
  }
  return describe(service, { call, choice, selector: selectorOf(choice) })
}

/** The dump of the snapshot that the path names. Only an id is stable; `latest` and refs move. */
export async function findDumpAt(
  service: DumpService,
  call: DumpCall,
  choice: Choice,
): Promise<DumpResource> {
  const selector = { snapshotIdentifier: call.param('snapshot_identifier') }
  return describe(service, { call, choice, selector })
}

async function describe(
  service: DumpService,
  {
    call,
    choice: {
      table = call.param('table_identifier'),
      format,
      compression,
      bom = false,
      redirect = 'never',
      schema_id: schemaId,
      edition: asked,
    },
    selector,
  }: { call: DumpCall; choice: Choice; selector: SnapshotSelector },
): Promise<DumpResource> {
  const target = await getDumpTarget(service, {
    ...{ table, selector, format, compression, bom, policyOn: call.policyOn },
    authorizeFound: call.authorizeFound,
    schemaId: schemaId === undefined ? undefined : Number(schemaId),
  })
  const { asAtMs, snapshotIdentifier = '' } = selector
  const isOfRef = selector.ref !== undefined && selector.ref !== MAIN_BRANCH
  // Without a schema, what a table without rows shows are its columns of now.
  const isOfNone = target.snapshot.snapshotId === NO_SNAPSHOT_ID
  const isPinned = NUMERIC.test(snapshotIdentifier) && !(isOfNone && schemaId === undefined)
  const isMoving = !isPinned
  // Refs other than main have no log, so when they moved is unknown.
  const isLogged = isMoving && !isOfRef && ['', 'latest', 'main'].includes(snapshotIdentifier)
  const change = isLogged ? await findChangeTime(service, target, asAtMs) : undefined
  const validators = {
    etag: entityTag(target),
    lastModifiedMs: change?.atMs ?? target.snapshot.timestampMs,
    isDateExact: isPinned ? isDateOfBytes(target, asked) : change?.isExact === true,
  }
  return { target, isMoving, asked, validators, redirect }
}

/** Whether the bytes of a snapshot are those that it had at its own time. */
function isDateOfBytes({ state, snapshot }: DumpTarget, asked: string | undefined): boolean {
  return asked !== undefined || state.lastUpdatedMs <= snapshot.timestampMs
}

/** Content-addressed: the same bytes have the same tag, whichever process made them. */
function entityTag(target: DumpTarget): string {
  const { tableUuid } = target.state.definition
  const version = versionText(versionOf(target))
  return `"${version}-${tableUuid}-${formOf(target)}"`
}

/** The permanent address of this dump, valid even after the table is renamed. */
export function pinnedPath(target: DumpTarget, kind: '' | '.sha256' | '/status' = ''): string {
  const compression = target.compression === 'none' ? '' : `&compression=${target.compression}`
  const bom = target.bom === true ? '&bom=true' : ''
  const { snapshotId, schemaId, edition } = versionOf(target)
  const snapshot = `${target.state.definition.tableUuid}/${snapshotId}`
  const schema = schemaId === undefined ? '' : `&schema_id=${schemaId}`
  const choice = `format=${target.format}${compression}${bom}${schema}&edition=${edition}`
  return `/v1/tables/${snapshot}/dump${kind}?${choice}`
}

/** Only an address with an edition leads to the same bytes for ever. */
export function cacheControl({ isMoving, asked }: DumpResource): string {
  const isSame = !isMoving && asked !== undefined
  return isSame ? 'private, max-age=31536000, immutable' : 'private, no-cache'
}

/** Headers of any response about the dump, even a 304. */
export function cacheHeaders(resource: DumpResource) {
  const { target, validators } = resource
  return {
    ETag: validators.etag,
    'Last-Modified': httpDate(validators.lastModifiedMs),
    // A proxy that re-encoded it would break the digest and every range.
    'Cache-Control': `${cacheControl(resource)}, no-transform`,
    'Content-Location': pinnedPath(target),
    // What moves is where `Accept-Datetime` leads away from.
    Vary: resource.isMoving ? 'Accept-Datetime, Accept, Origin' : 'Accept, Origin',
  }
}

/** Headers that are known before the file is made. */
export function fileHeaders(resource: DumpResource) {
  const { target } = resource
  const digest = `<${pinnedPath(target, '.sha256')}>; rel="describedby"; type="text/plain"`
  return {
    ...cacheHeaders(resource),
    'Content-Type': mediaTypeOf(target),
    'Content-Disposition': contentDisposition(fileNameOf(target)),
    'Accept-Ranges': 'bytes',
    Link: `<${pinnedPath(target)}>; rel="canonical", ${digest}`,
  }
}

const FORMAT_BY_MEDIA_TYPE: Readonly<Record<string, DumpFormat>> = {
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/vnd.apache.parquet': 'parquet',
  'application/vnd.apache.arrow.stream': 'arrow',
  'text/tab-separated-values': 'tsv',
  // Browsers would rather have XML than CSV, and many programs ask for JSON whatever they read.
}

/** The parameter wins over Accept, so that a link with a format means the same to everyone. */
export function chooseFormat(
  given: DumpFormat | undefined,
  accepts: DumpCall['accepts'],
): DumpFormat {
  if (given !== undefined) return given
  const available = Object.keys(FORMAT_BY_MEDIA_TYPE)
  const format = FORMAT_BY_MEDIA_TYPE[accepts(available) ?? '']
  if (format !== undefined) return format
  throw new ProblemError(
    'not-acceptable',
    `no acceptable format: a dump is available as ${available.join(', ')}`,
    {
      facts: { available },
    },
  )
}
