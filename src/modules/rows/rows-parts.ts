import type { OpenFile, ScratchFile } from '../../core/open-file.ts'
import type { Reply } from '../../http/reply.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import { type ResultForm, type RowsPart, type RowsText, rowsReply } from './rows-response.ts'

/** Opens local files. */
export type PartFiles = Pick<Converter, 'open' | 'openScratch'>

/** What a response may take until it is sent. */
export interface RowsRoom {
  /** Whether so many more bytes stay in memory. */
  keep(bytes: number): boolean
  /** Takes so many more of the disk. Throws `overloaded`. */
  write(bytes: number): void
}

/**
 * The rows of one response, as they are made: what is small stays in memory, all else in at most
 * two files.
 */
export class RowsParts {
  readonly #converter: PartFiles
  readonly #room: RowsRoom
  readonly #parts: RowsPart[] = []
  #file: OpenFile | undefined
  #scratch: ScratchFile | undefined
  #bytes = 0

  constructor(converter: PartFiles, room: RowsRoom) {
    this.#converter = converter
    this.#room = room
  }

  /** All that were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** The rows of a local file come next, one a line; its name may go. Throws `overloaded`. */
  async add(path: string): Promise<void> {
    const file = await this.#converter.open(path)
    let isKept = false
    try {
      const { sizeBytes } = file
      this.#bytes += sizeBytes
      if (sizeBytes === 0) return
      if (this.#isInMemory && this.#room.keep(sizeBytes)) {
        this.#parts.push(await wholeOf(file))
        return
      }
      this.#room.write(sizeBytes)
      if (this.#isInMemory) {
        this.#file = file
        this.#parts.push(file)
        isKept = true
        return
      }
      const scratch = await this.#openScratch()
      for await (const chunk of file.chunks()) await scratch.append(chunk)
    } finally {
      if (!isKept) await file.close()
    }
  }

  /** These rows come next. Throws `overloaded`. */
  async addText(text: Uint8Array): Promise<void> {
    this.#bytes += text.length
    if (text.length === 0) return
    if (this.#isInMemory && this.#room.keep(text.length)) {
      this.#parts.push(text)
      return
    }
    this.#room.write(text.length)
    await (await this.#openScratch()).append(text)
  }

  /** All that there is: what follows a file is in another, so that rows stay in their order. */
  get #isInMemory(): boolean {
    return this.#file === undefined && this.#scratch === undefined
  }

  async #openScratch(): Promise<ScratchFile> {
    const scratch = this.#scratch ?? (await this.#converter.openScratch())
    if (this.#scratch === undefined) this.#parts.push(scratch)
    this.#scratch = scratch
    return scratch
  }

  reply(form: ResultForm, rows: Omit<RowsText, 'parts'>, closed: AbortSignal): Promise<Reply> {
    return rowsReply(form, { ...rows, parts: this.#parts }, closed)
  }

  async close(): Promise<void> {
    await this.#file?.close()
    await this.#scratch?.close()
  }
}

async function wholeOf(file: OpenFile): Promise<Uint8Array> {
  const whole = new Uint8Array(file.sizeBytes)
  let at = 0
  for await (const chunk of file.chunks()) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
