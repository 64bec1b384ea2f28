import type { BodyShare } from './body-memory.ts'

/** Chunks from this size on are passed on as they came. */
const PASSED_BYTES = 16 * 1024
const BLOCK_BYTES = 64 * 1024
/** What is held of one upload before it is written: the end of a Parquet file, for its footer. */
const HELD_BYTES_MAX = 1024 * 1024

/**
 * The bytes of an upload in blocks: each small chunk would be an object of its own for whoever
 * keeps some of them, and a write of its own, and an upload may come byte by byte. What is held of
 * it counts as it arrives, and throws `overloaded`.
 */
export async function* uploadBlocks(
  chunks: AsyncIterable<Uint8Array>,
  share: BodyShare,
): AsyncGenerator<Uint8Array> {
  let block = new Uint8Array()
  let used = 0
  let counted = 0
  for await (const chunk of chunks) {
    const more = Math.min(chunk.length, HELD_BYTES_MAX - counted)
    if (more > 0) share.take(more)
    counted += more
    if (used + chunk.length > block.length || chunk.length >= PASSED_BYTES) {
      if (used > 0) yield block.subarray(0, used)
      used = 0
    }
    if (chunk.length >= PASSED_BYTES) {
      yield chunk
      continue
    }
    if (used === 0) block = new Uint8Array(BLOCK_BYTES)
    block.set(chunk, used)
    used += chunk.length
  }
  if (used > 0) yield block.subarray(0, used)
}
