import { createHash } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import type { Reply } from '../../http/reply.ts'
import type { OpenFile } from '../../lake/convert/open-file.ts'
import {
  COMMA,
  frameOf,
  MEDIA_TYPES,
  NEWLINE,
  type ResultForm,
  type RowsText,
} from './rows-response.ts'

/** Files that are sent at once: each takes disk until its reader has it. */
const STREAMS_MAX = 32
const RETRY_AFTER_SECONDS = 5

interface RowsFile extends Pick<RowsText, 'result' | 'members' | 'headers'> {
  /** One row a line. */
  readonly file: OpenFile
  readonly closed: AbortSignal
}

/** Rows of any number, sent from open files: a slow reader holds one chunk, and no engine. */
export class RowStreams {
  #active = 0

  /** Throws `overloaded` while too many are being sent. */
  requirePlace(): void {
    if (this.#active < STREAMS_MAX) return
    const facts = { streamsMax: STREAMS_MAX, retryAfterSeconds: RETRY_AFTER_SECONDS }
    throw new CatalogError('overloaded', 'too many rows are being sent: ask again', { facts })
  }

  /** The same reply as of rows in memory. Closes the file when the response is closed. */
  async reply(form: ResultForm, { file, closed, headers, ...text }: RowsFile): Promise<Reply> {
    this.#active++
    const leave = () => {
      this.#active--
      void file.close()
    }
    if (closed.aborted) leave()
    else closed.addEventListener('abort', leave, { once: true })
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
    const etag = `"${hash.digest('base64url').slice(0, 22)}"`
    return {
      status: 200,
      mediaType: MEDIA_TYPES[form],
      headers: { Vary: 'Accept, Origin', ETag: etag, ...headers },
      body: { bytes, chunks },
    }
  }
}

/** Lines as items of a list: a line has no other line end, since JSON escapes them. */
async function* asItems(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isBetween = false
  for await (const chunk of chunks) {
    if (isBetween) yield Uint8Array.of(COMMA)
    isBetween = chunk.at(-1) === NEWLINE
    const items = isBetween ? chunk.subarray(0, -1) : chunk
    for (let at = items.indexOf(NEWLINE); at >= 0; at = items.indexOf(NEWLINE, at + 1)) {
      items[at] = COMMA
    }
    yield items
  }
}
