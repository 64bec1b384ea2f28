import { createHash } from 'node:crypto'
import { z } from 'zod'
import { bindQuery, canonicalQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery, OrderRequest } from '../../core/query/bound-query.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { getSchema } from '../../core/table/table.ts'
import type { ResultPart } from '../../engine/engine.ts'
import { pageToken, parsePageToken } from '../../http/page-token.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { AllowedFiles } from '../../lake/file/allowed-files.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import type { CommitPlace } from '../../lake/scan/ordered-files.ts'
import type { PlannedFile, ScanPlan } from '../../lake/scan/plan-files.ts'
import { getSnapshot } from '../../lake/table/table-lookup.ts'
import { ProblemError } from '../../problem/problems.ts'
import { reportOf } from './estimate.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  filesOfPlan,
  findReadable,
  findSource,
  planSource,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  readingOf,
  readsAll,
  requireAllowed,
  restrictionOn,
  restrictionText,
  type TableReader,
} from './query-source.ts'
import type { RowsParts } from './rows-parts.ts'

export type RowsFormat = 'ndjson' | 'csv'

export interface RowsRequest extends TableReader {
  readonly table: string
  readonly selector: SnapshotSelector
  readonly columns: readonly string[] | undefined
  readonly filter: string | undefined
  readonly orderBy: readonly OrderRequest[] | undefined
  readonly limit: number
  /** Token of the page before. */
  readonly after: string | undefined
  readonly format: RowsFormat
  readonly signal: AbortSignal
  readonly onRead: OnRead
  /** Gets the rows. */
  readonly parts: Pick<RowsParts, 'add' | 'bytes'>
}

export interface RowsPage {
  readonly source: QuerySource
  readonly query: BoundQuery
  readonly rows: number
  /** `null` if no row follows; where files are left, the next page may have none. */
  readonly nextPageToken: string | null
}

/** Rows of one page, as text. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024
/** Files that are read at once while rows are looked for. */
const FILES_AT_ONCE_MAX = 64
const KEY_LENGTH = 22

/** A page of a pinned snapshot's rows: whatever is committed since, pages fit together. */
export async function readRows(deps: RowsDependencies, request: RowsRequest): Promise<RowsPage> {
  const position = request.after === undefined ? undefined : parsePosition(request.after)
  const source = await sourceOf(deps, request, position)
  const { columns, filter, orderBy } = request
  const query = bindQuery({ columns, filter, orderBy }, source.schema)
  const digest = digestOf(source, query)
  if (position !== undefined && position.digest !== digest) {
    const of = 'it is of another request, or the table has got other names for its columns'
    throw tokenInvalid(`${of}: repeat the columns, the filter and the order, or begin again`)
  }
  return await readHeld(deps, [source], async (held) => {
    const plan = await planSource(deps, source, { filter, signal: request.signal })
    const reader = new PageReader(deps, { request, source, query, plan, digest, held })
    // Where a row is in its file would tell how many are withheld before it.
    const isCounted = readsAll(query) || source.restriction !== 'unrestricted'
    return await (isCounted ? reader.counted(position) : reader.inTurn(position))
  })
}

async function sourceOf(
  deps: RowsDependencies,
  { table, selector, authorizeFound, policyOn }: RowsRequest,
  position: Position | undefined,
): Promise<QuerySource> {
  if (position === undefined) {
    return await findSource(deps, table, { selector, authorizeFound, policyOn })
  }
  const state = await findReadable(deps, table, authorizeFound)
  const snapshot = await getSnapshot(deps, state, { snapshotIdentifier: position.snapshotId })
  if (!state.definition.schemas.some(({ schemaId }) => schemaId === position.schemaId)) {
    throw tokenInvalid('it is of another table')
  }
  const schema = getSchema(state.definition, position.schemaId)
  return { state, snapshot, schema, restriction: restrictionOn(state, schema, policyOn) }
}

/** What the pages of one reading have in common. */
function digestOf(source: QuerySource, query: BoundQuery): string {
  return keyOf(
    JSON.stringify([...readingOf(source), canonicalQuery(query), restrictionText(source)]),
  )
}

function keyOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, KEY_LENGTH)
}

/** Where the next page begins: after so many rows, or after a row of a file. */
interface Position {
  readonly snapshotId: string
  readonly schemaId: number
  readonly digest: string
  readonly after: number | RowPlace
}

type RowPlace =
  | readonly [fileKey: string, row: number, sequenceNumber: string]
  /** Where the snapshot lists a file again: after so many others of the same. */
  | readonly [fileKey: string, row: number, sequenceNumber: string, copy: number]
  /** In a token of an older version. */
  | readonly [fileKey: string, row: number]

const Count = z.int().min(0)
const Key = z.string().length(KEY_LENGTH)
const Digits = z.string().regex(/^\d{1,19}$/)
const PositionShape = z.tuple([
  Digits,
  Count,
  Key,
  z.union([
    Count,
    z.tuple([Key, Count, Digits, Count]),
    z.tuple([Key, Count, Digits]),
    z.tuple([Key, Count]),
  ]),
])

function parsePosition(token: string): Position {
  const [snapshotId, schemaId, digest, after] = parsePageToken(token, PositionShape)
  return { snapshotId, schemaId, digest, after }
}

function tokenInvalid(why: string): ProblemError {
  return new ProblemError('page-token-invalid', `Invalid page token: ${why}`)
}

interface Reading {
  readonly request: RowsRequest
  readonly source: QuerySource
  readonly query: BoundQuery
  readonly plan: ScanPlan
  readonly digest: string
  readonly held: HeldFiles
}

/** Where the next page begins, after the last row of this one. */
function placeOf(
  file: PlannedFile | undefined,
  { row, copy }: { readonly row: number; readonly copy: number },
): RowPlace | undefined {
  if (file === undefined) return undefined
  const place = [keyOf(file.dataFile.path), row, String(file.sequenceNumber)] as const
  return copy === 0 ? place : [...place, copy]
}

interface Start {
  readonly after: CommitPlace | undefined
  /** The last row of the first file that was on a page before. */
  readonly row: number | undefined
  readonly before: readonly PlannedFile[]
  /** How many others of that same file the snapshot lists before it. */
  readonly copy: number
}

/** Files that are taken one by one. */
class NextFiles {
  readonly #files: AsyncIterator<PlannedFile>
  readonly #next: PlannedFile[]
  readonly #copies = new WeakMap<PlannedFile, number>()
  #last: PlannedFile | undefined

  constructor(files: AsyncIterable<PlannedFile>, { before, copy }: Pick<Start, 'before' | 'copy'>) {
    this.#files = files[Symbol.asyncIterator]()
    this.#next = [...before]
    this.#last = before.at(-1)
    if (this.#last !== undefined) this.#copies.set(this.#last, copy)
  }

  /** How many others of the same file were before it: a snapshot may list one again. */
  copyOf(file: PlannedFile | undefined): number {
    return (file && this.#copies.get(file)) ?? 0
  }

  async hasMore(): Promise<boolean> {
    if (this.#next.length > 0) return true
    const next = await this.#files.next()
    if (next.done === true) return false
    const file = next.value
    if (this.#last !== undefined && isSamePlace(file, this.#last)) {
      this.#copies.set(file, this.copyOf(this.#last) + 1)
    }
    this.#last = file
    this.#next.push(file)
    return true
  }

  async take(): Promise<PlannedFile | undefined> {
    return (await this.hasMore()) ? this.#next.shift() : undefined
  }
}

function isSamePlace(left: PlannedFile, right: PlannedFile): boolean {
  const isSameText = left.dataFile.path === right.dataFile.path
  return isSameText && left.sequenceNumber === right.sequenceNumber
}

class PageReader {
  readonly #deps: RowsDependencies
  readonly #reading: Reading
  #rows = 0

  constructor(deps: RowsDependencies, reading: Reading) {
    this.#deps = deps
    this.#reading = reading
  }

  /** The rows of the result after so many; of all files. */
  async counted(position: Position | undefined): Promise<RowsPage> {
    const { plan, source, request } = this.#reading
    const offset = position?.after ?? 0
    if (typeof offset !== 'number') throw tokenInvalid('it is of a page of other rows')
    const files = await filesOfPlan(this.#deps, { source, plan }, request.signal)
    const onRead = reportOf([{ source, files }], request.onRead)
    const { hasMore } = await this.#read(files, { offset, onRead })
    return this.#page(hasMore ? offset + this.#rows : undefined)
  }

  /** File by file, only as many as the page needs. */
  async inTurn(position: Position | undefined): Promise<RowsPage> {
    const { plan, request } = this.#reading
    const { after, row: startRow, ...start } = await this.#startOf(position)
    const files = new NextFiles(plan.inCommitOrder({ after, signal: request.signal }), start)
    const allowed = new AllowedFiles(this.#deps.objects)
    const { onRead } = request
    let row = startRow
    let atOnce = 1
    while (this.#rows < request.limit) {
      const slice = await this.#slice(files, atOnce)
      if (slice.length === 0) break
      for (const file of slice) requireAllowed(allowed, file)
      const part = row === undefined ? { onRead } : { onRead, after: { source: 0, row } }
      const { hasMore, last } = await this.#read(slice, part)
      if ((hasMore || this.#rows >= request.limit) && last !== undefined) {
        const file = slice[last.source]
        const place = placeOf(file, { row: last.row, copy: files.copyOf(file) })
        return this.#page(hasMore || (await files.hasMore()) ? place : undefined)
      }
      row = undefined
      atOnce = Math.min(2 * atOnce, FILES_AT_ONCE_MAX)
    }
    return this.#page(undefined)
  }

  /** After which file the page begins, with the file of its last row before those. */
  async #startOf(position: Position | undefined): Promise<Start> {
    if (position === undefined) return { after: undefined, row: undefined, before: [], copy: 0 }
    if (typeof position.after === 'number') throw tokenInvalid('it is of a page of other rows')
    const [key, row, text, copy = 0] = position.after
    const { plan, request } = this.#reading
    let copies = 0
    const commit = text === undefined ? undefined : BigInt(text)
    for await (const { plan: planned, ...place } of plan.placesOf(commit, request.signal)) {
      if (keyOf(place.path) !== key || copies++ < copy) continue
      return { after: place, row, before: [planned()], copy }
    }
    throw tokenInvalid('the snapshot has not the file of its last row')
  }

  /** Without a filter, the manifests tell how many files have the rows that are left. */
  async #slice(files: NextFiles, atOnce: number): Promise<readonly PlannedFile[]> {
    const { request, query } = this.#reading
    const isFiltered = query.filter !== undefined
    const wanted = request.limit - this.#rows + 1
    const slice: PlannedFile[] = []
    let known = 0
    while (
      isFiltered ? slice.length < atOnce : slice.length < FILES_AT_ONCE_MAX && known < wanted
    ) {
      const file = await files.take()
      if (file === undefined) break
      slice.push(file)
      known += liveRows(file.dataFile, file.deleteFiles) ?? 0
    }
    return slice
  }

  async #read(
    sources: readonly PlannedFile[],
    { onRead, ...part }: Pick<ResultPart, 'after' | 'offset'> & { readonly onRead: OnRead },
  ) {
    const { request, source, query, held } = this.#reading
    const { schema, state } = source
    const { converter } = this.#deps
    const asked = {
      definition: state.definition,
      restriction: source.restriction,
      readAs: { ...schema, fields: fieldsOfQuery(query, schema) },
      held,
      sources,
      query,
      part: {
        rowsMax: request.limit - this.#rows,
        bytesMax: PAGE_BYTES_MAX - request.parts.bytes,
        ...part,
      },
      format: request.format,
      signal: request.signal,
      onRead,
    }
    const result = await converter.query(asked, async (made, path) => {
      await request.parts.add(path)
      return made
    })
    this.#rows += result.rows
    return result
  }

  #page(after: Position['after'] | undefined): RowsPage {
    const { source, query, digest } = this.#reading
    const { snapshot, schema } = source
    const nextPageToken =
      after === undefined || snapshot === undefined
        ? null
        : pageToken([String(snapshot.snapshotId), schema.schemaId, digest, after])
    return { source, query, rows: this.#rows, nextPageToken }
  }
}
