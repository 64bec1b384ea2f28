import { createHash } from 'node:crypto'
import { z } from 'zod'
import { bindQuery, canonicalQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery, OrderRequest } from '../../core/query/bound-query.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { getSchema } from '../../core/table/table.ts'
import type { ResultPart } from '../../engine/engine.ts'
import { pageToken, parsePageToken } from '../../http/page-token.ts'
import type { PolicyOn } from '../../http/permission.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'
import { getSnapshot, getTable } from '../../lake/table/table-lookup.ts'
import { ProblemError } from '../../problem/problems.ts'
import { reportOf } from './estimate.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  findSource,
  planSources,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  readsAll,
  restrictionOn,
  restrictionText,
  snapshotIdOf,
} from './query-source.ts'

export type RowsFormat = 'ndjson' | 'csv'

export interface RowsRequest {
  readonly table: string
  readonly selector: SnapshotSelector
  readonly columns: readonly string[] | undefined
  readonly filter: string | undefined
  readonly orderBy: readonly OrderRequest[] | undefined
  readonly limit: number
  /** Token of the page before. */
  readonly after: string | undefined
  /** As in `Call`. */
  readonly policyOn: PolicyOn
  readonly format: RowsFormat
  readonly signal: AbortSignal
  readonly onRead: OnRead
}

export interface RowsPage {
  readonly source: QuerySource
  readonly query: BoundQuery
  readonly rows: number
  /** One row a line, in pieces. */
  readonly pieces: readonly Uint8Array[]
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
    throw tokenInvalid('it is of another request: repeat the columns, the filter and the order')
  }
  return await readHeld(deps, [source], async (held) => {
    const { files } = await planSources(deps, source, { filter, signal: request.signal })
    const onRead = reportOf([{ source, files }], request.onRead)
    const reading = { request: { ...request, onRead }, source, query, files, digest, held }
    const reader = new PageReader(deps, reading)
    // Where a row is in its file would tell how many are withheld before it.
    const isCounted = readsAll(query) || source.restriction !== 'unrestricted'
    return await (isCounted ? reader.counted(position) : reader.inTurn(position))
  })
}

async function sourceOf(
  deps: RowsDependencies,
  { table, selector, policyOn }: RowsRequest,
  position: Position | undefined,
): Promise<QuerySource> {
  if (position === undefined) return await findSource(deps, table, { selector, policyOn })
  const state = await getTable(deps.catalog, table)
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
    JSON.stringify([
      source.state.definition.tableUuid,
      snapshotIdOf(source),
      source.schema.schemaId,
      canonicalQuery(query),
      restrictionText(source),
    ]),
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
  readonly after: number | readonly [fileKey: string, row: number]
}

const Count = z.int().min(0)
const PositionShape = z.tuple([
  z.string().regex(/^\d{1,19}$/),
  Count,
  z.string().length(KEY_LENGTH),
  z.union([Count, z.tuple([z.string().length(KEY_LENGTH), Count])]),
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
  readonly files: readonly PlannedFile[]
  readonly digest: string
  readonly held: HeldFiles
}

class PageReader {
  readonly #deps: RowsDependencies
  readonly #reading: Reading
  readonly #pieces: Uint8Array[] = []
  #rows = 0
  #bytes = 0

  constructor(deps: RowsDependencies, reading: Reading) {
    this.#deps = deps
    this.#reading = reading
  }

  /** The rows of the result after so many; of all files. */
  async counted(position: Position | undefined): Promise<RowsPage> {
    const { files } = this.#reading
    const offset = position?.after ?? 0
    if (typeof offset !== 'number') throw tokenInvalid('it is of a page of other rows')
    const { hasMore } = await this.#read(files, { offset })
    return this.#page(hasMore ? offset + this.#rows : undefined)
  }

  /** File by file, only as many as the page needs. */
  async inTurn(position: Position | undefined): Promise<RowsPage> {
    const { files, request } = this.#reading
    let { next, row } = this.#startOf(position)
    let atOnce = 1
    while (next < files.length && this.#rows < request.limit) {
      const slice = this.#sliceFrom(next, atOnce)
      const after = row === undefined ? {} : { after: { source: 0, row } }
      const { hasMore, last } = await this.#read(slice, after)
      const isFull = this.#rows >= request.limit
      if ((hasMore || isFull) && last !== undefined) {
        const isEnd = !hasMore && next + slice.length >= files.length
        const file = slice[last.source]
        if (isEnd || file === undefined) break
        return this.#page([keyOf(file.dataFile.path), last.row])
      }
      next += slice.length
      row = undefined
      atOnce = Math.min(2 * atOnce, FILES_AT_ONCE_MAX)
    }
    return this.#page(undefined)
  }

  #startOf(position: Position | undefined): { next: number; row: number | undefined } {
    if (position === undefined) return { next: 0, row: undefined }
    if (typeof position.after === 'number') throw tokenInvalid('it is of a page of other rows')
    const [key, row] = position.after
    const next = this.#reading.files.findIndex(({ dataFile }) => keyOf(dataFile.path) === key)
    if (next < 0) throw tokenInvalid('the snapshot has not the file of its last row')
    return { next, row }
  }

  /** Without a filter, the manifests tell how many files have the rows that are left. */
  #sliceFrom(next: number, atOnce: number): readonly PlannedFile[] {
    const { files, request, query } = this.#reading
    if (query.filter !== undefined) return files.slice(next, next + atOnce)
    const wanted = request.limit - this.#rows + 1
    let known = 0
    let end = next
    while (end < files.length && known < wanted && end - next < FILES_AT_ONCE_MAX) {
      const { dataFile, deleteFiles } = files[end++] as PlannedFile
      known += liveRows(dataFile, deleteFiles) ?? 0
    }
    return files.slice(next, end)
  }

  async #read(sources: readonly PlannedFile[], part: Pick<ResultPart, 'after' | 'offset'>) {
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
        bytesMax: PAGE_BYTES_MAX - this.#bytes,
        ...part,
      },
      format: request.format,
      signal: request.signal,
      onRead: request.onRead,
    }
    const { result, bytes } = await converter.query(asked, async (made, path) => {
      return { result: made, bytes: await converter.read(path) }
    })
    this.#rows += result.rows
    this.#bytes += bytes.length
    if (bytes.length > 0) this.#pieces.push(bytes)
    return result
  }

  #page(after: Position['after'] | undefined): RowsPage {
    const { source, query, digest } = this.#reading
    const { snapshot, schema } = source
    const nextPageToken =
      after === undefined || snapshot === undefined
        ? null
        : pageToken([String(snapshot.snapshotId), schema.schemaId, digest, after])
    return { source, query, rows: this.#rows, pieces: this.#pieces, nextPageToken }
  }
}
