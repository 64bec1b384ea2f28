import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

/** Rows of a record batch, and of the row group that it comes from: what of the file is in memory at a time, thrice. */
export const ARROW_BATCH_ROWS = 4_096
/** 512 MiB, within the address space of a child. */
const MEMORY_PAGES_MAX = 8_192
/** A stream ends with a continuation mark and a length of zero (Arrow columnar format, "IPC Streaming Format"). */
const END_BYTES = 8

/**
 * Writes a Parquet file of DuckDB's as one Arrow IPC stream: schema, record batches, end. There are no dictionaries, so
 * that batches of several streams of one schema can follow each other. Answers how many rows there were.
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
  // Its memory is reserved whole: without a limit there would be no address space left for DuckDB.
  setFlagsFromString(`--wasm-max-mem-pages=${MEMORY_PAGES_MAX}`)
  // The compiled module is instantiated as it is loaded: only by children that need it.
  const { ParquetFile } = await import('parquet-wasm/node')
  // It asks for a size and for the bytes of slices: a Blob of Node's would be an experimental feature.
  const file = await ParquetFile.fromFile(new FileSlices(source) as unknown as Blob)
  try {
    const empty = file.schema().intoIPCStream()
    const head = empty.subarray(0, empty.length - END_BYTES)
    write(head)
    let rows = 0
    const batches = await file.stream({ batchSize: ARROW_BATCH_ROWS, concurrency: 1 })
    for await (const batch of batches) {
      rows += batch.numRows
      // A stream of its own: the schema again, one record batch, an end.
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
  if (!isSame) throw new Error('a record batch has another schema than its file')
}

/** A part of an open file, as much of a Blob as is asked for. */
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
      if (count === 0) return Promise.reject(new Error('a file ended before its footer said'))
      at += count
    }
    return Promise.resolve(bytes.buffer)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
