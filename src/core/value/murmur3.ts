const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/** Murmur3, x86, 32 bits, seed 0, as a signed int (Iceberg spec, Appendix B). */
export function murmur3(bytes: Uint8Array): number {
  const blocksEnd = bytes.length & ~3
  let hash = 0
  for (let i = 0; i < blocksEnd; i += 4) {
    hash ^= mixBlock(littleEndian(bytes, i, 4))
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  if (blocksEnd < bytes.length) {
    hash ^= mixBlock(littleEndian(bytes, blocksEnd, bytes.length - blocksEnd))
  }
  return finish(hash ^ bytes.length)
}

function littleEndian(bytes: Uint8Array, offset: number, length: number): number {
  let word = 0
  for (let i = 0; i < length; i++) word |= (bytes[offset + i] as number) << (8 * i)
  return word
}

function mixBlock(word: number): number {
  const mixed = Math.imul(word, C1)
  return Math.imul((mixed << 15) | (mixed >>> 17), C2)
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
