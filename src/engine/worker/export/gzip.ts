import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

const CHUNK_BYTES = 256 * 1024
/**
 * Offset in a gzip header (RFC 1952) of the operating system, which zlib fills in; 255 means
 * unknown.
 */
const OS_OFFSET = 9
const OS_UNKNOWN = 255

/**
 * Writes one gzip member without name, time or operating system. Level 1 is five times as fast as
 * 6, for 10 % more bytes.
 */
export async function gzipFile(from: string, to: string): Promise<void> {
  await pipeline(
    createReadStream(from, { highWaterMark: CHUNK_BYTES }),
    createGzip({ level: 1, chunkSize: CHUNK_BYTES }),
    forgetSystem,
    createWriteStream(to, { flags: 'wx' }),
  )
}

async function* forgetSystem(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let offset = 0
  for await (const chunk of chunks) {
    const index = OS_OFFSET - offset
    if (index >= 0 && index < chunk.length) chunk[index] = OS_UNKNOWN
    offset += chunk.length
    yield chunk
  }
}
