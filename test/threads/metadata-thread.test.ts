import { gzipSync } from 'node:zlib'
import {
  readTableMetadataFile,
  readViewMetadataFile,
} from '../../src/formats/metadata/metadata-file.ts'
import { MetadataThread } from '../../src/threads/metadata-thread.ts'
import { refusal, refusalOf } from '../refusal.ts'

let thread: MetadataThread
beforeAll(() => {
  thread = new MetadataThread()
})
afterAll(() => thread.close())

const field = { id: 1, name: 'id', required: true, type: 'long' }

/** A metadata file with so many snapshots, padded with white space. */
function fileOf(snapshots: number, padding = 0): Buffer {
  const ids = Array.from({ length: snapshots }, (_, i) => i + 1)
  const json = {
    ...{ 'format-version': 2, 'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
    ...{ location: 'file:///t', 'last-sequence-number': snapshots, 'last-updated-ms': snapshots },
    ...{ 'last-column-id': 1, 'current-schema-id': 0, 'default-spec-id': 0 },
    schemas: [{ type: 'struct', 'schema-id': 0, fields: [field] }],
    'partition-specs': [{ 'spec-id': 0, fields: [] }],
    ...{ 'last-partition-id': 999, 'default-sort-order-id': 0 },
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: JSON.parse('{"__proto__":"kept","a":"b"}'),
    'current-snapshot-id': snapshots,
    snapshots: ids.map((id) => ({
      ...{ 'snapshot-id': id, 'sequence-number': id, 'timestamp-ms': id, 'schema-id': 0 },
      ...{ 'manifest-list': `file:///t/${id}.avro`, summary: { operation: 'append' } },
    })),
    'snapshot-log': ids.map((id) => ({ 'snapshot-id': id, 'timestamp-ms': id })),
    'metadata-log': [{ 'timestamp-ms': 1, 'metadata-file': 'file:///t/0.json' }],
  }
  return Buffer.from(JSON.stringify(json) + ' '.repeat(padding))
}

test('a thread reads metadata files as the event loop does, whatever their length', async () => {
  for (const snapshots of [1, 999, 1_000, 2_500]) {
    const file = fileOf(snapshots)
    const [plain, packed] = await Promise.all([thread.read(file), thread.read(gzipSync(file))])
    expect(plain).toEqual(readTableMetadataFile(file))
    expect(packed).toEqual(plain)
    expect(Object.keys(plain.definition.properties)).toContain('__proto__')
    expect(plain.snapshots).toHaveLength(snapshots)
  }
})

test('a file that inflates beyond all measure is refused before it does', () => {
  const bomb = gzipSync(fileOf(1, 240 * 1024 * 1024))
  expect(bomb.length).toBeLessThan(300_000)
  const { code, message } = refusalOf(() => readTableMetadataFile(bomb))
  expect(code).toBe('metadata-corrupt')
  expect(message).toContain('inflates to more than')
  // Much repeats in ordinary metadata, too.
  const many = fileOf(20_000)
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
  expect((await thread.read(fileOf(3))).snapshots).toHaveLength(3)
})

/** A view's metadata file with so many versions, padded with white space. */
function viewFileOf(versions: number, padding = 0): Buffer {
  const ids = Array.from({ length: versions }, (_, i) => i + 1)
  const json = {
    ...{ 'view-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1', 'format-version': 1 },
    ...{ location: 'file:///v', 'current-version-id': versions },
    schemas: [{ type: 'struct', 'schema-id': 0, fields: [field] }],
    versions: ids.map((id) => ({
      ...{ 'version-id': id, 'timestamp-ms': id, 'schema-id': 0, summary: {} },
      ...{ 'default-namespace': ['default'] },
      representations: [{ type: 'sql', sql: `select ${id}`, dialect: 'spark' }],
    })),
    'version-log': ids.map((id) => ({ 'version-id': id, 'timestamp-ms': id })),
    properties: JSON.parse('{"__proto__":"kept","a":"b"}'),
  }
  return Buffer.from(JSON.stringify(json) + ' '.repeat(padding))
}

test('a thread reads metadata files of views as the event loop does', async () => {
  const file = viewFileOf(1_000)
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
  ['inflates beyond all measure', () => gzipSync(viewFileOf(1, 64 * 1024 * 1024)), /inflates to/],
  ['has very many values', () => viewFileOf(20_000), /more than 100000 values/],
  ['is cut', () => viewFileOf(10).subarray(0, 500), /not JSON/],
  ['is no text', () => Buffer.from([0xff, 0xfe, 0x41]), /not UTF-8/],
])("a view's file that %s is refused in the thread, by its cause", async (_, bytes, cause) => {
  const { code, message } = await refusal(thread.readView(bytes()))
  expect(code).toBe('metadata-corrupt')
  expect(message).toMatch(cause)
})
