const SIGNATURES: readonly (readonly [signature: readonly number[], what: string])[] = [
  [[0x1f, 0x8b], 'is compressed with gzip: send it uncompressed'],
  [
    [0x28, 0xb5, 0x2f, 0xfd],
    'is compressed with Zstandard: send it uncompressed, or a text with gzip',
  ],
  [[0x50, 0x4b, 0x03, 0x04], 'is a ZIP archive: send the text itself'],
  [[0x50, 0x41, 0x52, 0x31, 0x15], 'is a Parquet file: send it as application/vnd.apache.parquet'],
  [[0xff, 0xfe], 'is UTF-16: send UTF-8'],
  [[0xfe, 0xff], 'is UTF-16: send UTF-8'],
]
/** How much of a text is looked at. */
const LOOKED_AT_BYTES = 64

/**
 * What a body is instead of a text in UTF-8, with what to do, as the end of a sentence about it;
 * `undefined` if its beginning does not tell.
 */
export function foreignKindOf(bytes: Uint8Array): string | undefined {
  const known = SIGNATURES.find(([signature]) => signature.every((byte, i) => bytes[i] === byte))
  if (known !== undefined) return known[1]
  // Every second byte of Latin letters in UTF-16 without a mark is zero.
  const start = bytes.subarray(0, LOOKED_AT_BYTES)
  const zeros = start.reduce((count, byte) => count + Number(byte === 0), 0)
  return start.length >= 4 && zeros * 3 >= start.length ? 'is UTF-16: send UTF-8' : undefined
}
