import { CatalogError } from '../../../core/errors.ts'
import { runStepsInTurns } from '../../../core/steps.ts'
import { decodeFooter, decodeFooterInSteps } from './footer-decode.ts'
import type { ParquetFooter } from './footer-model.ts'

export type { ParquetFooter } from './footer-model.ts'

/**
 * Size of the Thrift footer. Real ones take kilobytes; decoding takes up to ten times as much
 * memory.
 */
export const FOOTER_BYTES_MAX = 64 * 1024 * 1024
/** Some milliseconds of work. */
const SHORT_FOOTER_BYTES = 64 * 1024
const MAGIC_BYTES = 4
/** Size of the footer's length and the magic number. */
const TRAILER_BYTES = 8

/** The last bytes of an object, as `ObjectStore.readTail` returns them. */
export interface FileTail {
  readonly bytes: Uint8Array
  readonly sizeBytes: number
}
export type ReadRange = (offset: number, bytesMax: number) => Promise<Uint8Array>

/**
 * Reads the footer from the file's last bytes, and reads more only if the footer is longer. Throws
 * `file-not-parquet` unless it is a complete, consistent and unencrypted Parquet file.
 */
export async function readParquetFooter(
  tail: FileTail,
  readRange: ReadRange,
): Promise<ParquetFooter> {
  return parseFooter(await readFooterBytes(tail, readRange), tail)
}

/** The footer of a file of this size, from its bytes. Throws as `readParquetFooter` does. */
export function parseFooter(bytes: Uint8Array, tail: Pick<FileTail, 'sizeBytes'>): ParquetFooter {
  return decodeFooter(bytes, placeOf(bytes, tail))
}

function placeOf({ length }: Uint8Array, { sizeBytes }: Pick<FileTail, 'sizeBytes'>) {
  return { footerOffset: sizeBytes - TRAILER_BYTES - length, fileSizeBytes: sizeBytes }
}

/** As `parseFooter`; a long one is decoded in slices, between which `turn` lets others go on. */
export async function parseFooterInTurns(
  bytes: Uint8Array,
  tail: Pick<FileTail, 'sizeBytes'>,
  turn: () => Promise<void> | undefined,
): Promise<ParquetFooter> {
  if (bytes.length <= SHORT_FOOTER_BYTES) return parseFooter(bytes, tail)
  return runStepsInTurns(decodeFooterInSteps(bytes, placeOf(bytes, tail)), turn)
}

/** The bytes of the footer, not decoded yet. Throws as `readParquetFooter` does. */
export async function readFooterBytes(tail: FileTail, readRange: ReadRange): Promise<Uint8Array> {
  const lengthBytes = footerLength(tail)
  const footerOffset = tail.sizeBytes - TRAILER_BYTES - lengthBytes
  const { buffer, byteOffset, byteLength } = tail.bytes
  // Not a Buffer, whose views cost three times as much: a footer has one for each value.
  const held = new Uint8Array(buffer, byteOffset, byteLength - TRAILER_BYTES)
  return held.length >= lengthBytes
    ? held.subarray(held.length - lengthBytes)
    : completeFooter(held, { footerOffset, lengthBytes }, readRange)
}

function footerLength({ bytes, sizeBytes }: FileTail): number {
  if (sizeBytes < MAGIC_BYTES + TRAILER_BYTES || bytes.length < TRAILER_BYTES) {
    const told = `${sizeBytes} bytes are too few for a Parquet file`
    throw notParquet(`${told}${hintOfText(bytes)}`)
  }
  const magic = String.fromCharCode(...bytes.subarray(bytes.length - MAGIC_BYTES))
  if (magic === 'PARE') {
    throw notParquet('the Parquet footer is encrypted: write the file again without encryption')
  }
  if (magic !== 'PAR1') {
    const told = 'the file does not end with PAR1, as Parquet files do'
    throw notParquet(`${told}${hintOfText(bytes)}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const lengthBytes = view.getUint32(bytes.length - TRAILER_BYTES, true)
  if (lengthBytes > sizeBytes - TRAILER_BYTES - MAGIC_BYTES) {
    throw notParquet(`a footer of ${lengthBytes} bytes does not fit the file's ${sizeBytes}`)
  }
  if (lengthBytes > FOOTER_BYTES_MAX) {
    throw notParquet(`a footer of ${lengthBytes} bytes is more than ${FOOTER_BYTES_MAX}`)
  }
  return lengthBytes
}

/** What to do with CSV or JSON instead, if the end of the file looks like it. */
function hintOfText(bytes: Uint8Array): string {
  const end = String.fromCharCode(...bytes.subarray(-MAGIC_BYTES))
  if (!/^[\t\n\r\x20-\x7e]+$/.test(end)) return ''
  return '; of text, make the table with a "schema", and upload it as text/csv or another text type'
}

async function completeFooter(
  held: Uint8Array,
  { footerOffset, lengthBytes }: { footerOffset: number; lengthBytes: number },
  readRange: ReadRange,
): Promise<Uint8Array> {
  const missing = lengthBytes - held.length
  const head = await readRange(footerOffset, missing)
  if (head.length !== missing) throw notParquet('the file was truncated while it was being read')
  const bytes = new Uint8Array(lengthBytes)
  bytes.set(head)
  bytes.set(held, missing)
  return bytes
}

function notParquet(detail: string): CatalogError {
  return new CatalogError('file-not-parquet', detail)
}
