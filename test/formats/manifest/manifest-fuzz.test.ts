import { readdirSync, readFileSync } from 'node:fs'
import avsc from 'avsc'
import fc from 'fast-check'
import { readAvroContainer, writeAvroContainer } from '../../../src/formats/avro/avro-container.ts'
import {
  encodeManifestList,
  readManifestList,
} from '../../../src/formats/manifest/manifest-list.ts'
import { decodeManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import { encodeManifest } from '../../../src/formats/manifest/manifest-writer.ts'
import { cpuMsOf } from '../../cpu-time.ts'
import { addedFile, DAY_SPEC, manifestFile, SCHEMA } from './manifest-samples.ts'

const FOLDER = new URL('../files/', import.meta.url)
const LIMITS = { inflatedBytesMax: 10_000_000 }

/** Uncompressed, so that changes reach the entries. */
function plainManifest(): Uint8Array {
  const metrics = new Map([[1, 5]])
  const bounds = new Map([[1, Uint8Array.of(1, 2, 3)]])
  const file = encodeManifest({
    entries: [1, 2, 3].map((day) =>
      addedFile(day, {
        columnSizes: metrics,
        valueCounts: metrics,
        lowerBounds: bounds,
        upperBounds: bounds,
        splitOffsets: [4],
        keyMetadata: Uint8Array.of(9),
      }),
    ),
    schema: SCHEMA,
    spec: DAY_SPEC,
    content: 'data',
  })
  const { metadata, data, blocks } = readAvroContainer(file)
  const { 'avro.schema': schemaText = '', 'avro.codec': _, ...rest } = Object.fromEntries(metadata)
  // All records as one, written as they are.
  const codec = {
    encode: (bytes: Uint8Array, buffer: Buffer, at: number) => at + copy(bytes, buffer, at),
  }
  const container = Buffer.from(
    writeAvroContainer({ schemaText, metadata: rest, codec, records: [data], compression: 'null' }),
  )
  // The one block begins with its count, 1 (02); it holds 3 (06).
  container[container.length - 16 - data.length - 3] = 2 * (blocks[0]?.count ?? 0)
  return container
}

function copy(bytes: Uint8Array, buffer: Buffer, position: number): number {
  buffer.set(bytes, position)
  return bytes.length
}

const LIST = encodeManifestList({
  manifests: [manifestFile({ partitions: [{ containsNull: true }] })],
  snapshotId: 1n,
  parentSnapshotId: null,
  sequenceNumber: 1n,
})

/** Everything that a reader may ask of a file. */
function readAll(file: Uint8Array): void {
  const manifest = decodeManifest(file, manifestFile({ firstRowId: 5n }), LIMITS)
  for (let i = 0; i < manifest.entryCount; i++) {
    manifest.entry(i)
    const statistics = manifest.statistics(i)
    statistics.partition()
    for (const id of [1, 2]) {
      statistics.valueCount(id)
      statistics.nullCount(id)
      statistics.nanCount(id)
      statistics.lowerBound(id)
      statistics.upperBound(id)
    }
  }
}

function outcome(read: () => unknown): string {
  try {
    read()
    return 'read'
  } catch (error) {
    return (error as { code?: string }).code ?? String((error as Error).stack)
  }
}

const SEEDS = [
  plainManifest(),
  LIST,
  ...readdirSync(FOLDER)
    .filter((name) => name.endsWith('.avro'))
    .map((name) => new Uint8Array(readFileSync(new URL(name, FOLDER)))),
]

describe('hostile Avro', () => {
  test('of three entries, uncompressed, is read while it is whole', () => {
    expect(decodeManifest(plainManifest(), manifestFile()).entryCount).toBe(3)
    expect(outcome(() => readAll(plainManifest()))).toBe('read')
  })

  test('with bytes changed, cut off or repeated is read or corrupt', () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat(1_000_000),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)),
      }),
      { maxLength: 4 },
    )
    const seen = new Set<string>()
    fc.assert(
      fc.property(
        fc.nat(SEEDS.length - 1),
        edits,
        fc.nat(1_000_000),
        fc.boolean(),
        (n, changes, at, cut) => {
          const seed = SEEDS[n] as Uint8Array
          const bytes = seed.slice(0, cut ? at % (seed.length + 1) : seed.length)
          // The end of the file is where entries are: the header is long.
          for (const { at: from, value } of changes)
            bytes[bytes.length - 1 - (from % Math.min(bytes.length, 1 + (from % 600)))] = value
          for (const read of [readAll, (file: Uint8Array) => readManifestList(file, LIMITS)]) {
            const result = outcome(() => read(bytes))
            expect(['read', 'metadata-corrupt']).toContain(result)
            seen.add(result)
          }
        },
      ),
      { numRuns: 3000 },
    )
    expect(seen.size).toBe(2)
  })

  test('cut off after its header is corrupt when its length is known', () => {
    const file = plainManifest()
    const manifest = manifestFile({ lengthBytes: file.length })
    expect(decodeManifest(file, manifest).entryCount).toBe(3)
    const header = file.subarray(0, file.length - 16 - readAvroContainer(file).data.length - 3)
    expect(readAvroContainer(header).blocks).toHaveLength(0)
    expect(outcome(() => decodeManifest(header, manifest))).toBe('metadata-corrupt')
  })

  const long = avsc.Type.forSchema('long')
  const string = avsc.Type.forSchema('string')

  /** A manifest of one block of zero bytes that claims `count` entries. */
  function claiming(count: number, fields: readonly object[], body: Buffer): Uint8Array {
    const schemaText = JSON.stringify({
      type: 'record',
      name: 'manifest_entry',
      fields: [
        { name: 'status', type: 'int', 'field-id': 0 },
        {
          name: 'data_file',
          'field-id': 2,
          type: {
            type: 'record',
            name: 'r2',
            fields: [
              { name: 'p', type: 'string', 'field-id': 100 },
              { name: 'f', type: 'string', 'field-id': 101 },
              { name: 'r', type: { type: 'record', name: 'r102', fields: [] }, 'field-id': 102 },
              { name: 'n', type: 'long', 'field-id': 103 },
              { name: 's', type: 'long', 'field-id': 104 },
              ...fields,
            ],
          },
        },
      ],
    })
    const codec = {
      encode: (bytes: Uint8Array, buffer: Buffer, at: number) => at + copy(bytes, buffer, at),
    }
    const file = writeAvroContainer({
      schemaText,
      metadata: { 'partition-spec': '[]' },
      codec,
      records: [],
      compression: 'null',
    })
    const sync = file.subarray(file.length - 16)
    return Buffer.concat([file, long.toBuffer(count), long.toBuffer(body.length), body, sync])
  }

  const ENTRY = Buffer.concat([
    Buffer.of(2),
    string.toBuffer('p'),
    string.toBuffer('parquet'),
    Buffer.of(2, 2),
  ])
  const nulls = { name: 'x', type: { type: 'array', items: 'null' } }
  const nested = { name: 'x', type: { type: 'array', items: { type: 'array', items: 'null' } } }
  const offsets = { name: 'x', 'field-id': 132, type: { type: 'array', items: 'long' } }
  const bounds = {
    name: 'x',
    'field-id': 125,
    type: {
      type: 'array',
      items: {
        type: 'record',
        name: 'kv',
        fields: [
          { name: 'key', type: 'int', 'field-id': 126 },
          { name: 'value', type: 'bytes', 'field-id': 127 },
        ],
      },
    },
  }

  test.each<[string, Uint8Array, string]>([
    ['one entry', claiming(1, [], ENTRY), 'read'],
    ['ten million entries', claiming(10_000_000, [], Buffer.alloc(100)), 'metadata-corrupt'],
    ['no entries and bytes left over', claiming(0, [], Buffer.alloc(100)), 'read'],
    ['2^53 entries', claiming(2 ** 53 - 2, [], Buffer.alloc(100)), 'metadata-corrupt'],
    [
      'ten million nulls in an unknown field',
      claiming(1, [nulls], Buffer.concat([ENTRY, long.toBuffer(10_000_000), Buffer.of(0)])),
      'metadata-corrupt',
    ],
    [
      'lists of nulls within a list',
      claiming(
        1,
        [nested],
        Buffer.concat([
          ENTRY,
          long.toBuffer(50_000),
          ...Array(50_000).fill(Buffer.concat([long.toBuffer(50_000), Buffer.of(0)])),
          Buffer.alloc(60_000),
        ]),
      ),
      'read',
    ],
    [
      'ten million split offsets',
      claiming(1, [offsets], Buffer.concat([ENTRY, long.toBuffer(10_000_000), Buffer.of(0)])),
      'metadata-corrupt',
    ],
    [
      'a bound of a gigabyte',
      claiming(1, [bounds], Buffer.concat([ENTRY, Buffer.of(2, 2), long.toBuffer(2 ** 30)])),
      'metadata-corrupt',
    ],
    [
      'a block of a negative count and a size',
      claiming(1, [bounds], Buffer.concat([ENTRY, Buffer.of(1, 8, 2, 4, 7, 7, 0)])),
      'read',
    ],
  ])('that claims %s ends soon and in little memory', (_, file, expected) => {
    const before = process.memoryUsage()
    const cpuMs = cpuMsOf(() => expect(outcome(() => readAll(file))).toBe(expected))
    expect(cpuMs).toBeLessThan(200)
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(30_000_000)
  })

  test('of more entries than are read is refused by what its blocks say', () => {
    const file = claiming(2_000_001, [], Buffer.alloc(100))
    expect(() => readAll(file)).toThrow('2000001 entries: at most 2000000')
  })

  test.each<[string, (text: string) => string]>([
    [
      'a path that is a number',
      (text) => text.replace('"name":"p","type":"string"', '"name":"p","type":"long"'),
    ],
    ['no path', (text) => text.replace('"field-id":100', '"field-id":9')],
    ['no partition', (text) => text.replace('"field-id":102', '"field-id":9')],
    ['a status of several types', (text) => text.replace('"type":"int"', '"type":["int","long"]')],
    ['a data file that is none', (text) => text.replace('"field-id":2', '"field-id":3')],
  ])('with a schema of %s is corrupt', (_, change) => {
    const { metadata } = readAvroContainer(claiming(0, [], Buffer.alloc(0)))
    const schemaText = change(metadata.get('avro.schema') ?? '')
    expect(schemaText).not.toBe(metadata.get('avro.schema'))
    const codec = { encode: () => 0 }
    const rest = { 'partition-spec': '[]' }
    const file = writeAvroContainer({ schemaText, metadata: rest, codec, records: [] })
    expect(outcome(() => readAll(file))).toBe('metadata-corrupt')
  })
})
