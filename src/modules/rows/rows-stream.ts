import { createHash } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import { LinkedStop } from '../../core/linked-stop.ts'
import type { OpenFile } from '../../core/open-file.ts'
import type { Reply } from '../../http/reply.ts'
import {
  frameOf,
  ListItems,
  MEDIA_TYPES,
  type ResultForm,
  type RowsText,
  rowsHeaders,
} from './rows-response.ts'

/** How many files are made and sent at once, and their bytes: each takes disk until it is read. */
export interface StreamLimits {
  readonly streams: number
  readonly streamsOfCaller: number
  readonly fileBytes: number
  readonly bytes: number
}

const LIMITS: StreamLimits = {
  streams: 32,
  streamsOfCaller: 4,
  fileBytes: 4 * 1024 ** 3,
  bytes: 16 * 1024 ** 3,
}
const RETRY_AFTER_SECONDS = 5

interface RowsFile extends Pick<RowsText, 'result' | 'members' | 'headers'> {
  /** One row a line. */
  readonly file: OpenFile
}

/** What one request has of the disk, from before its rows are read until they are sent. */
export interface StreamPlace {
  /** Ends with the request, and where the rows take too much of the disk. */
  readonly signal: AbortSignal
  /** Hears how many bytes the rows take, from time to time. */
  readonly onWrite: (bytes: number) => void
  /** The same reply as of rows in memory. The file is closed when the response is. */
  reply(form: ResultForm, rows: RowsFile): Promise<Reply>
}

interface Taken {
  readonly asker: string
  bytes: number
}

/** Rows of any number, sent from open files: a slow reader holds one chunk, and no engine. */
export class RowStreams {
  readonly #limits: StreamLimits
  readonly #taken = new Set<Taken>()

  constructor(limits: Partial<StreamLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits }
  }

  /**
   * Gives `make` a place, which is free again if it fails, and else when the response is closed.
   * Throws `overloaded` while too many have one.
   */
  async withPlace(
    { asker, closed }: { readonly asker: string; readonly closed: AbortSignal },
    make: (place: StreamPlace) => Promise<Reply>,
  ): Promise<Reply> {
    this.#requirePlace(asker)
    const taken: Taken = { asker, bytes: 0 }
    this.#taken.add(taken)
    const stop = new LinkedStop(closed)
    let file: OpenFile | undefined
    const leave = () => {
      this.#taken.delete(taken)
      void file?.close()
    }
    const onWrite = (bytes: number) => {
      taken.bytes = bytes
      const refused = this.#refusalOf(taken)
      if (refused !== undefined) stop.abort(refused)
    }
    const reply = async (form: ResultForm, rows: RowsFile) => {
      file = rows.file
      onWrite(file.sizeBytes)
      stop.signal.throwIfAborted()
      return await replyOf(form, rows, closed)
    }
    try {
      const made = await make({ signal: stop.signal, onWrite, reply })
      closed.throwIfAborted()
      closed.addEventListener('abort', leave, { once: true })
      return made
    } catch (error) {
      leave()
      throw error
    } finally {
      stop.unlink()
    }
  }

  #requirePlace(asker: string): void {
    const { streams: streamsMax, streamsOfCaller: ofCallerMax } = this.#limits
    const ofCaller = [...this.#taken].filter((each) => each.asker === asker).length
    if (this.#taken.size < streamsMax && ofCaller < ofCallerMax) return
    const facts = { streamsMax, ofCallerMax, retryAfterSeconds: RETRY_AFTER_SECONDS }
    const detail =
      `too many rows are being sent: at most ${ofCallerMax} of these responses are of one ` +
      `caller, and ${streamsMax} in all: ask again`
    throw new CatalogError('overloaded', detail, { facts })
  }

  #refusalOf({ bytes }: Taken): CatalogError | undefined {
    const { fileBytes, bytes: bytesMax } = this.#limits
    if (bytes > fileBytes) {
      const detail =
        `the rows that differ have more than ${fileBytes} bytes: compare snapshots nearer ` +
        'to one another'
      return new CatalogError('result-too-large', detail, { facts: { bytesMax: fileBytes } })
    }
    const all = [...this.#taken].reduce((sum, taken) => sum + taken.bytes, 0)
    if (all <= bytesMax) return undefined
    const facts = { bytesMax, retryAfterSeconds: RETRY_AFTER_SECONDS }
    const detail = 'the rows that are being sent take too much of the disk: ask again'
    return new CatalogError('overloaded', detail, { facts })
  }
}

async function replyOf(
  form: ResultForm,
  { file, headers, ...text }: RowsFile,
  closed: AbortSignal,
): Promise<Reply> {
  const { head, end } = frameOf(form, text)
  const hash = createHash('sha256').update(head)
  for await (const chunk of file.chunks()) {
    closed.throwIfAborted()
    hash.update(chunk)
  }
  const isList = form === 'json'
  // The last line of a list has no comma after it.
  const rowsBytes = file.sizeBytes - (isList && file.sizeBytes > 0 ? 1 : 0)
  const bytes = Buffer.byteLength(head) + rowsBytes + Buffer.byteLength(end)
  const chunks = async function* () {
    if (head !== '') yield Buffer.from(head)
    yield* isList ? asItems(file.chunks()) : file.chunks()
    if (end !== '') yield Buffer.from(end)
  }
  return {
    status: 200,
    mediaType: MEDIA_TYPES[form],
    headers: rowsHeaders(hash, headers),
    body: { bytes, chunks },
  }
}

async function* asItems(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const items = new ListItems()
  for await (const chunk of chunks) yield* items.of(chunk)
}
