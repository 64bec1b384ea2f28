import { storedZstandard } from '../../../src/formats/zstandard/stored-frame.ts'
import { inflateZstandard } from '../../../src/formats/zstandard/zstandard.ts'

const BLOCK = 128 * 1024

test.each([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 300_000])(
  'a frame of %d bytes holds them, in blocks that a decoder of 128 KiB takes',
  (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff)
    const frame = storedZstandard(bytes)
    expect(Buffer.compare(inflateZstandard(frame, length), bytes)).toBe(0)
    // What it declares: an exact size, and a window of one block.
    const view = new DataView(frame.buffer)
    expect(view.getUint32(6, true)).toBe(length)
    expect(2 ** (10 + (view.getUint8(5) >> 3))).toBe(BLOCK)
    expect(frame.length).toBe(10 + 3 * Math.max(1, Math.ceil(length / BLOCK)) + length)
  },
)
