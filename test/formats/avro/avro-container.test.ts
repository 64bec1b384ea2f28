import { deflateRawSync } from 'node:zlib'
import avsc from 'avsc'
import fc from 'fast-check'
import { readAvroContainer, writeAvroContainer } from '../../../src/formats/avro/avro-container.ts'

const SCHEMA_TEXT =
  '{"type":"record","name":"r","fields":[{"name":"a","type":"string","field-id":1}]}'
const TYPE = avsc.Type.forSchema(JSON.parse(SCHEMA_TEXT))
const MAGIC = Buffer.from('Obj\x01', 'latin1')
const SYNC = Buffer.alloc(16, 7)

function write(records: readonly { a: string }[], compression: 'null' | 'deflate' = 'deflate') {
  return writeAvroContainer({
    schemaText: SCHEMA_TEXT,
    metadata: { key: 'välue' },
    codec: TYPE,
    records,
    compression,
  })
}

/** A zig-zag varint. */
function integer(value: number): Buffer {
  return avsc.Type.forSchema('long').toBuffer(value)
}

function header(metadata: Record<string, string>): Buffer {
  const meta = avsc.Type.forSchema({ type: 'map', values: 'bytes' })
  const bytes = Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)])
  return Buffer.concat([MAGIC, meta.toBuffer(Object.fromEntries(bytes)), SYNC])
}

function block(count: number, body: Uint8Array): Buffer {
  return Buffer.concat([integer(count), integer(body.length), body, SYNC])
}

function container(codec: string | undefined, ...blocks: Buffer[]): Buffer {
  const metadata = {
    'avro.schema': SCHEMA_TEXT,
    ...(codec !== undefined && { 'avro.codec': codec }),
  }
  return Buffer.concat([header(metadata), ...blocks])
}

const corrupt = expect.objectContaining({ code: 'metadata-corrupt' })

describe('an Avro container', () => {
  test('that is written can be read, however far its records deflate', () => {
    for (const length of [1_000, 100_000, 8_000_000]) {
      const written = Array.from({ length: 3 }, () => ({ a: 'a'.repeat(length) }))
      const { data } = readAvroContainer(write(written))
      expect(Buffer.from(data)).toEqual(Buffer.concat(written.map((r) => TYPE.toBuffer(r))))
    }
    const many = Array.from({ length: 300_000 }, () => ({ a: 'a'.repeat(50) }))
    expect(readAvroContainer(write(many)).blocks.length).toBeGreaterThan(100)
  })

  test.each(['null', 'deflate'] as const)('is read as it was written with codec %s', (codec) => {
    const records = fc.array(fc.record({ a: fc.string({ maxLength: 30 }) }))
    fc.assert(
      fc.property(records, (written) => {
        const { metadata, data, blocks } = readAvroContainer(write(written, codec))
        expect(metadata.get('avro.codec')).toBe(codec)
        expect(metadata.get('key')).toBe('välue')
        expect(Buffer.from(data)).toEqual(Buffer.concat(written.map((r) => TYPE.toBuffer(r))))
        expect(blocks.reduce((sum, { count }) => sum + count, 0)).toBe(written.length)
      }),
    )
  })

  test('is read by avsc', async () => {
    const written = Array.from({ length: 3000 }, (_, i) => ({ a: `${'x'.repeat(50)}${i}` }))
    for (const codec of ['null', 'deflate'] as const) {
      const decoder = new avsc.streams.BlockDecoder()
      decoder.end(write(written, codec))
      const read: unknown[] = []
      for await (const record of decoder) read.push({ ...record })
      expect(read).toEqual(written)
    }
  })

  test('has another sync marker each time', () => {
    const [first, second] = [write([{ a: 'x' }]), write([{ a: 'x' }])]
    expect(Buffer.from(first).equals(second)).toBe(false)
  })

  test('cut short anywhere is corrupt, and never fewer records', () => {
    const file = write(Array.from({ length: 3000 }, (_, i) => ({ a: `${'x'.repeat(50)}${i}` })))
    const whole = readAvroContainer(file)
    expect(whole.blocks.length).toBeGreaterThan(1)
    const ends = new Set<number>()
    for (let length = 0; length < file.length; length++) {
      try {
        ends.add(readAvroContainer(file.subarray(0, length)).blocks.length)
      } catch (error) {
        expect(error).toEqual(corrupt)
      }
    }
    // Only exactly between blocks is the rest a file of its own.
    expect([...ends]).toEqual([0, 1, 2])
  })

  test('without a codec is not compressed', () => {
    const body = TYPE.toBuffer({ a: 'abc' })
    expect(readAvroContainer(container(undefined, block(1, body))).data).toEqual(
      new Uint8Array(body),
    )
  })

  test('may have bytes after the deflate stream, as PyIceberg writes them', () => {
    const body = Buffer.concat([deflateRawSync(TYPE.toBuffer({ a: 'abc' })), Buffer.from('xyz')])
    const { data } = readAvroContainer(container('deflate', block(1, body), block(1, body)))
    expect(Buffer.from(data).toString()).toBe('\x06abc\x06abc')
  })

  test.each<[string, Buffer]>([
    ['an unknown codec', container('snappy')],
    ['a broken deflate stream', container('deflate', block(1, Buffer.from('broken')))],
    ['no deflate stream', container('deflate', block(1, Buffer.alloc(0)))],
    ['a broken Zstandard frame', container('zstandard', block(1, Buffer.from('broken stream')))],
    ['a negative count', container('null', block(-1, Buffer.from('x')))],
    ['another sync marker', container('null', Buffer.from('020278', 'hex'), Buffer.alloc(16))],
    ['a size beyond the file', container('null', integer(1), integer(2 ** 40), SYNC)],
    [
      'a size beyond 2^53',
      container('null', integer(1), Buffer.from(`${'ff'.repeat(9)}01`, 'hex')),
    ],
    ['an endless size', container('null', integer(1), Buffer.alloc(50, 0xff))],
    ['no schema', header({})],
    ['a schema that is no JSON', header({ 'avro.schema': '{' })],
    ['a schema that is none', header({ 'avro.schema': '7' })],
    ['an unknown type', header({ 'avro.schema': '"toString"' })],
    ['a type of another type', header({ 'avro.schema': '{"type":"record","name":"r"}' })],
    ['no magic', Buffer.from('Obj')],
    ['millions of metadata', Buffer.concat([MAGIC, integer(10_000_000), Buffer.alloc(100)])],
  ])('with %s is corrupt', (_, file) => {
    expect(() => readAvroContainer(file)).toThrow(corrupt)
  })

  test('with a schema of types within types without end is corrupt', () => {
    const nested = `${'{"type":"array","items":'.repeat(100)}"int"${'}'.repeat(100)}`
    const named = Array.from(
      { length: 5000 },
      (_, i) =>
        `{"name":"f${i}","type":{"type":"record","name":"R${i}","fields":[{"name":"x","type":${
          i === 0 ? '"int"' : `"R${i - 1}"`
        }}]}}`,
    )
    const chained = `{"type":"record","name":"r","fields":[${named.join(',')}]}`
    const recursive = '{"type":"record","name":"r","fields":[{"name":"r","type":"r"}]}'
    for (const schema of [nested, chained, recursive]) {
      expect(() => readAvroContainer(header({ 'avro.schema': schema }))).toThrow(corrupt)
    }
  })

  test('that inflates beyond the limit is corrupt, soon and in little memory', () => {
    const bomb = deflateRawSync(Buffer.alloc(50_000_000))
    const file = container('deflate', block(1, bomb), block(1, bomb))
    const before = process.memoryUsage().arrayBuffers
    expect(() => readAvroContainer(file, { inflatedBytesMax: 1_000_000 })).toThrow(corrupt)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
    expect(readAvroContainer(file, { inflatedBytesMax: 100_000_000 }).data).toHaveLength(
      100_000_000,
    )
    expect(() => readAvroContainer(file, { inflatedBytesMax: 99_999_999 })).toThrow(corrupt)
    // Without a limit of its reader's: some hundred times its size.
    expect(() => readAvroContainer(file)).toThrow(corrupt)
    const plain = container('null', block(1, Buffer.alloc(1000)))
    expect(() => readAvroContainer(plain, { inflatedBytesMax: 999 })).toThrow(corrupt)
  })

  test('with a schema longer than any is corrupt, before it is parsed', () => {
    const fields = `{"name":"a","type":"int","doc":"${'x'.repeat(1_100_000)}"}`
    const schemaText = `{"type":"record","name":"r","fields":[${fields}]}`
    const codec = { encode: () => 0 }
    const file = writeAvroContainer({ schemaText, metadata: {}, codec, records: [] })
    expect(() => readAvroContainer(file)).toThrow(/schema of more than 1048576 characters/)
  })
})
