import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { GatheredBytes } from '../../../src/http/body/gathered-bytes.ts'

const MIB = 1024 * 1024

test('bytes are what arrived, however they were cut', () => {
  const sizes = fc.array(fc.oneof(fc.nat(9), fc.nat(20_000), fc.nat(70_000)), { maxLength: 30 })
  fc.assert(
    fc.property(sizes, (lengths) => {
      const gathered = new GatheredBytes()
      const chunks = lengths.map((length, i) => Buffer.alloc(length, i + 1))
      for (const chunk of chunks) gathered.add(chunk)
      expect(gathered.size).toBe(lengths.reduce((sum, length) => sum + length, 0))
      expect(Buffer.compare(gathered.joined(), Buffer.concat(chunks))).toBe(0)
    }),
  )
})

test('chunks of one byte do not keep the buffers that they came in', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().arrayBuffers
  const gathered = new GatheredBytes()
  for (let i = 0; i < 3_000; i++) gathered.add(new Uint8Array(16 * 1024).subarray(0, 1))
  // Buffers are given back in the background, those of earlier tests as well.
  let more = Number.POSITIVE_INFINITY
  for (let i = 0; i < 50 && more >= MIB; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
    more = process.memoryUsage().arrayBuffers - before
  }
  expect(more).toBeLessThan(MIB)
  expect(gathered.joined()).toHaveLength(3_000)
})
