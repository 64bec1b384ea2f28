import { gzipSync } from 'node:zlib'
import {
  readTableMetadataFile,
  readViewMetadataFile,
} from '../../src/formats/metadata/metadata-file.ts'
import { MetadataThread } from '../../src/threads/metadata-thread.ts'
import { refusal, refusalOf } from '../refusal.ts'
import { tableFileOf, viewFileOf } from './metadata-files.ts'

let thread: MetadataThread
beforeAll(() => {
  thread = new MetadataThread()
})
afterAll(() => thread.close())

test('a thread reads metadata files as the event loop does, whatever their length', async () => {
  for (const snapshots of [1, 999, 1_000, 2_500]) {
    const file = tableFileOf({ snapshots })
    const [plain, packed] = await Promise.all([thread.read(file), thread.read(gzipSync(file))])
    expect(plain).toEqual(readTableMetadataFile(file))
    expect(packed).toEqual(plain)
    expect(Object.keys(plain.definition.properties)).toContain('__proto__')
    expect(plain.snapshots).toHaveLength(snapshots)
  }
})

test('a file that inflates beyond all measure is refused before it does', () => {
  const bomb = gzipSync(tableFileOf({ padding: 240 * 1024 * 1024 }))
  expect(bomb.length).toBeLessThan(300_000)
  const { code, message } = refusalOf(() => readTableMetadataFile(bomb))
  expect(code).toBe('metadata-corrupt')
  expect(message).toContain('inflates to more than')
  // Much repeats in ordinary metadata, too.
  const many = tableFileOf({ snapshots: 20_000 })
  const packed = gzipSync(many)
  expect(many.length / packed.length).toBeGreaterThan(10)
  expect(readTableMetadataFile(packed).snapshots).toHaveLength(20_000)
})

test('a file of too many values is refused before it is parsed', () => {
  const many = Buffer.from(`{"a":[${'0,'.repeat(3_000_001)}0]}`)
  expect(refusalOf(() => readTableMetadataFile(many)).message).toContain('values')
})

test('a damaged file does not hold the event loop, and does not end the thread', async () => {
  const values = Buffer.from(`{"a":[${'{},'.repeat(1_400_000)}0]}`)
  const order: string[] = []
  const reading = refusal(thread.read(values)).then(({ code }) => order.push(code))
  // Turns of the event loop, of which there are none while something holds it.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  order.push('twenty turns')
  await reading
  expect(order).toEqual(['twenty turns', 'metadata-corrupt'])
  expect((await thread.read(tableFileOf({ snapshots: 3 }))).snapshots).toHaveLength(3)
})

test('a thread reads metadata files of views as the event loop does', async () => {
  const file = viewFileOf({ versions: 1_000 })
  const [plain, packed] = await Promise.all([
    thread.readView(file),
    thread.readView(gzipSync(file)),
  ])
  expect(plain).toEqual(readViewMetadataFile(file))
  expect(packed).toEqual(plain)
  expect(Object.keys(plain.properties)).toContain('__proto__')
  expect(plain.versions).toHaveLength(1_000)
})

test.each([
  [
    'inflates beyond all measure',
    () => gzipSync(viewFileOf({ padding: 64 * 1024 * 1024 })),
    /inflates to/,
  ],
  ['has very many values', () => viewFileOf({ versions: 20_000 }), /more than 100000 values/],
  ['is cut', () => viewFileOf({ versions: 10 }).subarray(0, 500), /not JSON/],
  ['is no text', () => Buffer.from([0xff, 0xfe, 0x41]), /not UTF-8/],
])("a view's file that %s is refused in the thread, by its cause", async (_, bytes, cause) => {
  const { code, message } = await refusal(thread.readView(bytes()))
  expect(code).toBe('metadata-corrupt')
  expect(message).toMatch(cause)
})

test('too many properties are refused in the thread, which hands over none of them', async () => {
  for (const [properties, code] of [
    [10_000, undefined],
    [10_001, 'update-invalid'],
    [200_000, 'update-invalid'],
  ] as const) {
    const file = tableFileOf({ properties })
    if (code === undefined) {
      const { definition } = await thread.read(file)
      expect(Object.keys(definition.properties)).toHaveLength(properties)
    } else {
      const failure = await refusal(thread.read(file))
      expect([failure.code, failure.message]).toEqual([
        code,
        expect.stringMatching(/at most 10000/),
      ])
      expect(refusalOf(() => readTableMetadataFile(file)).message).toBe(failure.message)
    }
  }
})
