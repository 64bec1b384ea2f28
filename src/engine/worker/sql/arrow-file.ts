import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

/**
 * Rows of a record batch and of the row group it comes from. Three copies of them are in memory at
 * a time.
 */
export const ARROW_BATCH_ROWS = 4_096
/** Size of a WebAssembly memory: 512 MiB, within the address space of a child. */
const MEMORY_PAGES_MAX = 8_192
/**
 * A stream ends with a continuation mark and a length of zero (Arrow columnar format, "IPC
 * Streaming Format").
 */
const END_BYTES = 8

/**
 * Converts a Parquet file from DuckDB to an Arrow IPC stream: schema, record batches, end. There
 * are no dictionaries, so that batches of several streams with one schema can follow each other.
 * Returns the number of rows.
 */
export async function writeArrowStream(from: string, to: string): Promise<number> {
  const source = openSync(from, 'r')
  const target = openSync(to, 'wx')
  try {
    return await copyBatches(source, (bytes) => writeAll(target, bytes))
  } finally {
    closeSync(target)
    closeSync(source)
  }
}

async function copyBatches(source: number, write: (bytes: Uint8Array) => void): Promise<number> {
  // All of its memory is reserved at once: without a limit no address space would be left for
  // DuckDB.
  setFlagsFromString(`--wasm-max-mem-pages=${MEMORY_PAGES_MAX}`)
  // Loading the module also instantiates it, so only children that need it do so.
  const { ParquetFile } = await import('parquet-wasm/node')
  // It needs only a size and the bytes of slices; Node's own file Blob is experimental.
  const file = await ParquetFile.fromFile(new FileSlices(source) as unknown as Blob)
  try {
    const empty = file.schema().intoIPCStream()
    const head = empty.subarray(0, empty.length - END_BYTES)
    write(head)
    let rows = 0
    const batches = await file.stream({ batchSize: ARROW_BATCH_ROWS, concurrency: 1 })
    for await (const batch of batches) {
      rows += batch.numRows
      // A separate stream: the schema again, one record batch, an end.
      const stream = batch.intoIPCStream()
      requireSameHead(stream, head)
      write(stream.subarray(head.length, stream.length - END_BYTES))
    }
    write(empty.subarray(head.length))
    return rows
  } finally {
    file.free()
  }
}

function requireSameHead(stream: Uint8Array, head: Uint8Array): void {
  const isSame = Buffer.compare(stream.subarray(0, head.length), head) === 0
  if (!isSame) throw new Error('the schema of a record batch differs from that of its file')
}

/** A part of an open file, with those members of a Blob that are used. */
class FileSlices {
  readonly size: number
  readonly #file: number
  readonly #start: number

  constructor(file: number, start = 0, end = fstatSync(file).size) {
    this.#file = file
    this.#start = start
    this.size = end - start
  }

  slice(start: number, end: number): FileSlices {
    const stop = Math.min(end, this.size)
    return new FileSlices(this.#file, this.#start + Math.min(start, stop), this.#start + stop)
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size)
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(this.#file, bytes, at, bytes.length - at, this.#start + at)
      if (count === 0) return Promise.reject(new Error('a file is shorter than its footer says'))
      at += count
    }
    return Promise.resolve(bytes.buffer)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
