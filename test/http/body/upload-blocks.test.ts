import fc from 'fast-check'
import { BodyMemory } from '../../../src/http/body/body-memory.ts'
import { uploadBlocks } from '../../../src/http/body/upload-blocks.ts'
import { refusal } from '../../refusal.ts'

async function* chunksOf(sizes: Iterable<number>, passed: Uint8Array[] = []) {
  let next = 0
  for (const size of sizes) {
    const chunk = Uint8Array.from({ length: size }, () => next++ % 251)
    passed.push(chunk)
    yield chunk
  }
}

async function blocksOf(chunks: AsyncIterable<Uint8Array>, memory = new BodyMemory(2 ** 30)) {
  const blocks: Uint8Array[] = []
  for await (const block of uploadBlocks(chunks, memory.share())) blocks.push(block)
  return blocks
}

test('an upload is the same bytes in fewer blocks, however it is cut', async () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(40_000)), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(sizes, async (given) => {
      const passed: Uint8Array[] = []
      const blocks = await blocksOf(chunksOf(given, passed))
      expect(Buffer.concat(blocks).equals(Buffer.concat(passed))).toBe(true)
      expect(blocks.length).toBeLessThanOrEqual(passed.length)
    }),
    { numRuns: 50 },
  )
})

test('bytes that come one by one are held in blocks of 64 KiB', async () => {
  const blocks = await blocksOf(chunksOf(Array(200_000).fill(1)))
  expect(blocks.map((block) => block.length)).toEqual([65_536, 65_536, 65_536, 3_392])
})

test('what is held of an upload counts as it arrives, up to a MiB', async () => {
  const memory = new BodyMemory(2 ** 30)
  const share = memory.share()
  const held: number[] = []
  for await (const _ of uploadBlocks(chunksOf(Array(20).fill(100_000)), share)) {
    held.push(memory.heldBytes)
  }
  expect(held.slice(0, 2)).toEqual([100_000, 200_000])
  expect(held.at(-1)).toBe(1024 * 1024)
  share.release()
  expect(memory.heldBytes).toBe(0)
  const { code } = await refusal(blocksOf(chunksOf(Array(5).fill(50_000)), new BodyMemory(200_000)))
  expect(code).toBe('overloaded')
})
