import { decodeManifest } from '../../src/formats/manifest/manifest-reader.ts'
import { encodeManifest } from '../../src/formats/manifest/manifest-writer.ts'
import { ManifestThreads } from '../../src/threads/manifest-threads.ts'
import { addedFile, DAY_SPEC, manifestFile, SCHEMA } from '../formats/manifest/manifest-samples.ts'

let threads: ManifestThreads
beforeAll(() => {
  threads = new ManifestThreads(2)
})
afterAll(() => threads.close())

const bytes = (...values: number[]) => Uint8Array.from(values)
const entries = Array.from({ length: 300 }, (_, i) =>
  addedFile(i % 7 === 0 ? null : i % 5, {
    path: `file:///t/data/part-${i}.parquet`,
    recordCount: i,
    lowerBounds: new Map([[1, bytes(i & 255, i >> 8, 0, 0)]]),
    upperBounds: i % 3 === 0 ? new Map() : new Map([[2, bytes(i & 255)]]),
    nullValueCounts: new Map([[1, i]]),
    splitOffsets: [4, 100 + i],
  }),
)
const file = encodeManifest({
  entries,
  schema: SCHEMA,
  spec: DAY_SPEC,
  content: 'data',
  version: 2,
})
const listed = manifestFile({ specId: DAY_SPEC.specId, lengthBytes: file.length })

test('a thread decodes a manifest to the same entries as the event loop', async () => {
  const before = file.slice()
  const [aside, again] = await Promise.all([
    threads.decode(file, listed),
    threads.decode(file, listed),
  ])
  const here = decodeManifest(file, listed)
  expect(file).toEqual(before)
  expect(aside.entryCount).toBe(300)
  expect(aside.retainedBytes).toBe(here.retainedBytes)
  expect([aside.spec, aside.schema]).toEqual([here.spec, here.schema])
  for (let i = 0; i < 300; i++) {
    expect(aside.entry(i)).toEqual(here.entry(i))
    expect(again.entry(i)).toEqual(here.entry(i))
    expect(aside.statistics(i).lowerBound(1)).toEqual(here.statistics(i).lowerBound(1))
  }
})

test('a thread answers for a damaged file with the same error, and goes on', async () => {
  const damaged = file.slice(0, file.length - 20)
  const line = { ...listed, lengthBytes: damaged.length }
  expect(() => decodeManifest(damaged, line)).toThrow()
  await expect(threads.decode(damaged, line)).rejects.toMatchObject({ code: 'metadata-corrupt' })
  expect((await threads.decode(file, listed)).entryCount).toBe(300)
})

test('work under way when threads end is refused; a new thread does the next', async () => {
  const own = new ManifestThreads(1)
  const underWay = own.decode(file, listed)
  const refused = expect(underWay).rejects.toThrow('the thread moraine-manifests ended')
  await own.close()
  await refused
  expect((await own.decode(file, listed)).entryCount).toBe(300)
  await own.close()
})
