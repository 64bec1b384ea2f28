import { CatalogError } from '../../core/errors.ts'
import { LinkedStop } from '../../core/linked-stop.ts'
import type { OpenFile } from '../../core/open-file.ts'
import type { Reply } from '../../http/reply.ts'
import { type PartFiles, RowsParts, type RowsRoom } from './rows-parts.ts'
import { type ResultForm, type RowsText, rowsReply } from './rows-response.ts'

/** How many responses of rows are made and sent at once, and what they take until they are read. */
export interface StreamLimits {
  /** Responses of any number of rows, from before these are read. */
  readonly streams: number
  readonly streamsOfCaller: number
  /** The most that one of these takes. */
  readonly fileBytes: number
  /** Other responses that are too large for memory, once they have rows. */
  readonly results: number
  readonly resultsOfCaller: number
  /** What all together take of the disk. */
  readonly bytes: number
  /** What one response takes of memory; what is larger is sent from a file. */
  readonly smallBytes: number
  /** By all together: more are sent from files. */
  readonly memoryBytes: number
}

const LIMITS: StreamLimits = {
  streams: 32,
  streamsOfCaller: 4,
  fileBytes: 4 * 1024 ** 3,
  results: 512,
  resultsOfCaller: 40,
  bytes: 16 * 1024 ** 3,
  smallBytes: 256 * 1024,
  memoryBytes: 64 * 1024 ** 2,
}
const RETRY_AFTER_SECONDS = 5

type RowsFile = Omit<RowsText, 'parts'> & {
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

/** Whose response it is. */
export interface SentTo {
  readonly asker: string
  /** As in `Call`. */
  readonly closed: AbortSignal
}

interface Taken {
  readonly asker: string
  readonly kind: 'stream' | 'result'
  bytes: number
}

/** Sends rows from memory and from open files: a slow reader holds one chunk, and no engine. */
export class RowStreams {
  readonly #deps: { readonly converter: PartFiles }
  readonly #limits: StreamLimits
  readonly #taken = new Set<Taken>()
  #memoryBytes = 0

  constructor(deps: { readonly converter: PartFiles }, limits: Partial<StreamLimits> = {}) {
    this.#deps = deps
    this.#limits = { ...LIMITS, ...limits }
  }

  /**
   * Gives `make` a place for any number of rows, which is free again if it fails, and else when the
   * response is closed. Throws `overloaded` while too many have one.
   */
  async withPlace(
    { asker, closed }: SentTo,
    make: (place: StreamPlace) => Promise<Reply>,
  ): Promise<Reply> {
    const taken: Taken = { asker, kind: 'stream', bytes: 0 }
    this.#take(taken)
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
    const reply = async (form: ResultForm, { file: made, ...rows }: RowsFile) => {
      file = made
      onWrite(file.sizeBytes)
      stop.signal.throwIfAborted()
      return await rowsReply(form, { ...rows, parts: [file] }, closed)
    }
    try {
      const made = await make({ signal: stop.signal, onWrite, reply })
      leaveWhenClosed(closed, leave)
      return made
    } catch (error) {
      leave()
      throw error
    } finally {
      stop.unlink()
    }
  }

  /**
   * Gives `make` what keeps the rows of a bounded result until the response is closed, or it fails.
   * Whoever has too many that are not read yet is told `overloaded`.
   */
  async withParts(
    { asker, closed }: SentTo,
    make: (parts: RowsParts) => Promise<Reply>,
  ): Promise<Reply> {
    const taken: Taken = { asker, kind: 'result', bytes: 0 }
    let memoryBytes = 0
    const room: RowsRoom = {
      keep: (bytes) => {
        const { smallBytes, memoryBytes: memoryMax } = this.#limits
        if (memoryBytes + bytes > smallBytes || this.#memoryBytes + bytes > memoryMax) return false
        memoryBytes += bytes
        this.#memoryBytes += bytes
        return true
      },
      write: (bytes) => {
        if (!this.#taken.has(taken)) this.#take(taken)
        taken.bytes += bytes
        const refused = this.#refusalOf(taken)
        if (refused !== undefined) throw refused
      },
    }
    const parts = new RowsParts(this.#deps.converter, room)
    const leave = () => {
      this.#taken.delete(taken)
      this.#memoryBytes -= memoryBytes
      void parts.close()
    }
    try {
      const made = await make(parts)
      leaveWhenClosed(closed, leave)
      return made
    } catch (error) {
      leave()
      throw error
    }
  }

  /**
   * A text, which is in memory until the response is closed. Throws `overloaded` where it is large,
   * and too much is.
   */
  holdText(text: string, closed: AbortSignal): void {
    const { smallBytes, memoryBytes } = this.#limits
    const bytes = Buffer.byteLength(text)
    if (bytes <= smallBytes) return
    if (this.#memoryBytes > 0 && this.#memoryBytes + bytes > memoryBytes) {
      const facts = { bytesMax: memoryBytes, retryAfterSeconds: RETRY_AFTER_SECONDS }
      const detail = 'the responses that are being sent take too much memory: ask again'
      throw new CatalogError('overloaded', detail, { facts })
    }
    leaveWhenClosed(closed, () => {
      this.#memoryBytes -= bytes
    })
    this.#memoryBytes += bytes
  }

  #take(taken: Taken): void {
    const { asker, kind } = taken
    const limits = this.#limits
    const [inAllMax, ofCallerMax] =
      kind === 'stream'
        ? [limits.streams, limits.streamsOfCaller]
        : [limits.results, limits.resultsOfCaller]
    const alike = [...this.#taken].filter((each) => each.kind === kind)
    const ofCaller = alike.filter((each) => each.asker === asker).length
    if (alike.length >= inAllMax || ofCaller >= ofCallerMax) {
      const facts = { streamsMax: inAllMax, ofCallerMax, retryAfterSeconds: RETRY_AFTER_SECONDS }
      const detail =
        `too many rows are being sent: at most ${ofCallerMax} of these responses are of one ` +
        `caller, and ${inAllMax} in all: read them, and ask again`
      throw new CatalogError('overloaded', detail, { facts })
    }
    this.#taken.add(taken)
  }

  #refusalOf({ kind, bytes }: Taken): CatalogError | undefined {
    const { fileBytes, bytes: bytesMax } = this.#limits
    if (kind === 'stream' && bytes > fileBytes) {
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

/** Throws if the client has gone. */
function leaveWhenClosed(closed: AbortSignal, leave: () => void): void {
  closed.throwIfAborted()
  closed.addEventListener('abort', leave, { once: true })
}
