import { deflateRawSync } from 'node:zlib'
import avsc from 'avsc'
import fc from 'fast-check'
import {
  readAvroContainer,
  writeAvroContainer,
} from '../../../src/formats/iceberg/avro-container.ts'

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
    const plain = container('null', block(1, Buffer.alloc(1000)))
    expect(() => readAvroContainer(plain, { inflatedBytesMax: 999 })).toThrow(corrupt)
  })
})

describe('a Zstandard block', () => {
  // Frames of RFC 8878: magic, descriptor, window or size, blocks.
  const frame = (descriptor: string, ...blocks: string[]) =>
    Buffer.from(`28b52ffd${descriptor}${blocks.join('')}`, 'hex')
  const LAST_RAW_ABC = '190000616263'
  const read = (body: Buffer, inflatedBytesMax = 1000) =>
    Buffer.from(
      readAvroContainer(container('zstandard', block(1, body)), { inflatedBytesMax }).data,
    )

  test('is read with and without a declared size, and over several frames', () => {
    expect(read(frame('2003', LAST_RAW_ABC)).toString()).toBe('abc')
    expect(read(frame('0058', LAST_RAW_ABC)).toString()).toBe('abc')
    const skippable = Buffer.from('502a4d1802000000ffff', 'hex')
    const one = frame('2003', LAST_RAW_ABC)
    expect(read(Buffer.concat([one, skippable, one])).toString()).toBe('abcabc')
    const undeclared = frame('0058', LAST_RAW_ABC)
    expect(read(Buffer.concat([undeclared, one, undeclared])).toString()).toBe('abcabcabc')
  })

  test.each<[string, Buffer]>([
    ['a declared size beyond the limit', frame('a0ffffff7f', LAST_RAW_ABC)],
    ['a declared size beyond its blocks', frame('2004', LAST_RAW_ABC)],
    // 900 blocks of one repeated byte each, 128 KB.
    ['blocks beyond the limit', frame('0058', '02001061'.repeat(900), LAST_RAW_ABC)],
    ['a window of 2 GB', frame('00a8', LAST_RAW_ABC)],
    ['no last block', frame('0058', '180000616263')],
    ['half a block', frame('0058', '1900006162')],
    ['half a frame to skip', Buffer.from('502a4d1802000000ff', 'hex')],
    ['no frame', Buffer.from('28b52f')],
  ])('with %s is corrupt', (_, body) => {
    expect(() => read(body)).toThrow(corrupt)
  })

  test('that would take for ever to inflate is corrupt in the end', () => {
    // One compressed block: no literals, 98,046 sequences of one code each, that of the longest match.
    const sequences = `00fffeff54000034${'ff'.repeat(8)}`
    const size = sequences.length / 2
    const header = (1 | (COMPRESSED << 1) | (size << 3)).toString(16).padStart(2, '0')
    const body = frame('2001', `${header}0000`, sequences)
    const file = container('zstandard', block(1, body))
    const startedAtMs = performance.now()
    expect(() => readAvroContainer(file, { zstandardTimeoutMs: 300 })).toThrow('within 300 ms')
    expect(performance.now() - startedAtMs).toBeGreaterThan(250)
    expect(performance.now() - startedAtMs).toBeLessThan(5000)
  })
})

const COMPRESSED = 2
