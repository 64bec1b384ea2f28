import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { RowInvalid } from './row-invalid.ts'

const CHUNK_BYTES = 256 * 1024
export const LINE_BYTES_MAX = 16 * 1024 * 1024
const NEWLINE = 0x0a
const BYTE_ORDER_MARK = '\ufeff'

/**
 * Reads a text in pieces of whole lines, without a byte order mark. The last piece may lack its
 * line end.
 */
export async function* readWholeLines(path: string): AsyncGenerator<string> {
  let line = 1
  let isFirst = true
  for await (const piece of wholeLinePieces(path)) {
    const lines = countLines(piece)
    for (const text of decode(piece, line)) {
      yield isFirst && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
      isFirst = false
    }
    line += lines
  }
}

async function* wholeLinePieces(path: string): AsyncGenerator<Buffer> {
  let open: Buffer[] = []
  let openBytes = 0
  let line = 1
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes = chunk as Buffer
    const end = bytes.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      const piece = Buffer.concat([...open, bytes.subarray(0, end)])
      line += countLines(piece)
      yield piece
      open = []
      openBytes = 0
    }
    open.push(bytes.subarray(end))
    openBytes += bytes.length - end
    if (openBytes > LINE_BYTES_MAX) {
      throw new RowInvalid(line, `a line can have at most ${LINE_BYTES_MAX} bytes`)
    }
  }
  if (openBytes > 0) yield Buffer.concat(open)
}

/**
 * Yields the text before the first line that is not UTF-8, since it may contain an earlier error.
 */
function* decode(piece: Buffer, firstLine: number): Generator<string> {
  if (isUtf8(piece)) {
    yield piece.toString('utf8')
    return
  }
  let line = firstLine
  let start = 0
  while (start < piece.length) {
    const end = piece.indexOf(NEWLINE, start) + 1 || piece.length
    if (!isUtf8(piece.subarray(start, end))) break
    line++
    start = end
  }
  if (start > 0) yield piece.toString('utf8', 0, start)
  const remedy = 'name another encoding in the media type, as text/csv; charset=windows-1252'
  throw new RowInvalid(line, `the line is not UTF-8; ${remedy}`)
}

function countLines(bytes: Buffer): number {
  let lines = 0
  let at = bytes.indexOf(NEWLINE)
  while (at >= 0) {
    lines++
    at = bytes.indexOf(NEWLINE, at + 1)
  }
  return lines
}
