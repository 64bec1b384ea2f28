import { setImmediate as nextTurn } from 'node:timers/promises'
import avsc from 'avsc'
import fc from 'fast-check'
import type { DataFile, ManifestEntry } from '../../../src/core/file/data-file.ts'
import type { Field } from '../../../src/core/value/type.ts'
import { readAvroContainer } from '../../../src/formats/avro/avro-container.ts'
import { schemaText } from '../../../src/formats/manifest/manifest-list-schema.ts'
import { decodeManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import {
  manifestEntrySchema,
  partitionColumns,
} from '../../../src/formats/manifest/manifest-schema.ts'
import {
  encodeManifest,
  encodeManifestInTurns,
} from '../../../src/formats/manifest/manifest-writer.ts'
import {
  addedFile,
  DAY_SPEC,
  manifestEntry,
  manifestFile,
  SCHEMA,
  WIDE_SPEC,
} from './manifest-samples.ts'

function encodeWide(entries: readonly ManifestEntry[]): Uint8Array {
  return encodeManifest({ entries, schema: SCHEMA, spec: WIDE_SPEC, content: 'data' })
}

function encodeDays(entries: readonly ManifestEntry[]): Uint8Array {
  return encodeManifest({ entries, schema: SCHEMA, spec: DAY_SPEC, content: 'data' })
}

const entries = fc.array(manifestEntry, { maxLength: 6 })

describe('a manifest', () => {
  test('is read as it was written, every type of partition and every optional field', () => {
    fc.assert(
      fc.property(entries, (written) => {
        const manifest = decodeManifest(encodeWide(written), manifestFile())
        expect(manifest.entryCount).toBe(written.length)
        const read = written.map((_, i) => manifest.entry(i))
        expect(read).toEqual(written)
      }),
      { numRuns: 150 },
    )
  })

  test('of very many entries lets others work while it is encoded, and is the same', async () => {
    const [entry] = fc.sample(manifestEntry, 1) as [ManifestEntry]
    const content = { entries: Array.from({ length: 20_000 }, () => entry), schema: SCHEMA }
    const manifest = { ...content, spec: WIDE_SPEC, content: 'data' as const }
    let isDone = false
    const encoding = encodeManifestInTurns(manifest).finally(() => {
      isDone = true
    })
    let turns = 0
    for (; !isDone; turns++) await nextTurn()
    expect(turns).toBeGreaterThan(5)
    const decoded = decodeManifest(await encoding, manifestFile())
    expect(decoded.entryCount).toBe(20_000)
    expect(decoded.entry(19_999)).toEqual(entry)
    // But for the marks between blocks, which are random.
    expect((await encoding).length).toBe(encodeManifest(manifest).length)
  })

  test('has the schema with defaults beyond 2^53, exactly', () => {
    const [field] = SCHEMA.fields as [Field]
    const big = { ...field, type: { kind: 'long' }, initialDefault: 2n ** 53n + 1n } as const
    const schema = { ...SCHEMA, fields: [big] }
    const bytes = encodeManifest({ entries: [], schema, spec: DAY_SPEC, content: 'data' })
    expect(Buffer.from(bytes).toString('latin1')).toContain('"initial-default":9007199254740993')
  })

  test('is the same to avsc, with its own records and unions', () => {
    const bigLong = avsc.types.LongType.__with({
      fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
      toBuffer: () => Buffer.alloc(8),
      fromJSON: BigInt,
      toJSON: Number,
      isValid: (value: unknown) => typeof value === 'bigint',
      compare: () => 0,
    })
    const schema = schemaText(manifestEntrySchema(partitionColumns(WIDE_SPEC, SCHEMA)))
    const isLong = (type: unknown) =>
      type === 'long' || (typeof type === 'object' && (type as { type: string }).type === 'long')
    const type = avsc.Type.forSchema(JSON.parse(schema), {
      wrapUnions: false,
      typeHook: (part: unknown) => (isLong(part) ? bigLong : undefined),
    } as object)
    fc.assert(
      fc.property(entries, (written) => {
        const file = encodeWide(written)
        const manifest = decodeManifest(file, manifestFile())
        const { data } = readAvroContainer(file)
        let offset = 0
        for (let i = 0; i < written.length; i++) {
          const decoded = type.decode(Buffer.from(data), offset)
          expect(fromAvsc(decoded.value)).toEqual(fromEntry(manifest.entry(i)))
          offset = decoded.offset
        }
        expect(offset).toBe(data.length)
      }),
      { numRuns: 100 },
    )
  })

  test('keeps its spec, schema and content in the header, with names as they are', () => {
    const manifest = decodeManifest(encodeWide([]), manifestFile({ content: 'deletes' }))
    expect(manifest.spec).toEqual(WIDE_SPEC)
    expect(manifest.schema).toEqual(SCHEMA)
    const { metadata } = readAvroContainer(encodeWide([]))
    expect(metadata.get('format-version')).toBe('2')
    expect(metadata.get('content')).toBe('data')
    expect(metadata.get('schema-id')).toBe('3')
    expect(metadata.get('partition-spec-id')).toBe('4')
    expect(metadata.get('avro.codec')).toBe('deflate')
  })

  test('names partition fields as Avro allows, each type and field once', () => {
    const { metadata } = readAvroContainer(encodeWide([]))
    const text = metadata.get('avro.schema') as string
    const names = [...text.matchAll(/"name":"([^"]*)"/g)].map((match) => match[1] as string)
    for (const name of names) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/)
    expect(names).toEqual(expect.arrayContaining(['decimal_9_2_f1013', 'uuid_fixed_f1010']))
    expect(names).toEqual(expect.arrayContaining(['a_x2Db', 'a_x2Db_f1101', '_1st', 'gr_xF6_xDFe']))
    expect(text).toContain('"iceberg-field-name":"a-b"')
    expect(text).toContain('"logicalType":"map"')
    expect(text).toContain('"element-id":133')
  })

  test('lets added entries inherit what they leave null', () => {
    const manifest = decodeManifest(encodeDays([addedFile(19000)]), manifestFile({ specId: 7 }))
    expect(manifest.entry(0)).toMatchObject({
      status: 'added',
      snapshotId: 2n ** 62n + 1n,
      sequenceNumber: 9n,
      fileSequenceNumber: 9n,
    })
    expect(manifest.sequenceNumber(0)).toBe(9n)
  })

  test('lets no existing entry inherit a sequence number, unless the manifest has none', () => {
    const file = encodeDays([{ ...addedFile(1), status: 'existing' }])
    expect(decodeManifest(file, manifestFile()).sequenceNumber(0)).toBeNull()
    const old = manifestFile({ sequenceNumber: 0n })
    expect(decodeManifest(file, old).sequenceNumber(0)).toBe(0n)
  })

  test('says which entries are live', () => {
    const statuses = ['existing', 'added', 'deleted'] as const
    const written = statuses.map((status) => ({ ...addedFile(1), status }))
    const manifest = decodeManifest(encodeDays(written), manifestFile())
    expect(statuses.map((_, i) => manifest.status(i))).toEqual(statuses)
    expect(statuses.map((_, i) => manifest.isLive(i))).toEqual([true, true, false])
    expect(() => manifest.path(3)).toThrow(RangeError)
  })

  test('answers statistics of one column without the others', () => {
    const manifest = decodeManifest(
      encodeDays([
        addedFile(5, {
          valueCounts: new Map([[1, 10]]),
          nullValueCounts: new Map([[1, 0]]),
          nanValueCounts: new Map([[4, 2]]),
          lowerBounds: new Map([
            [1, Uint8Array.of(1)],
            [2, Uint8Array.of()],
          ]),
          upperBounds: new Map(),
        }),
        addedFile(null),
      ]),
      manifestFile({ specId: 7 }),
    )
    const first = manifest.statistics(0)
    expect(first.recordCount).toBe(10)
    expect(first.specId).toBe(7)
    expect(first.partition()).toEqual([5])
    expect([first.valueCount(1), first.valueCount(2)]).toEqual([10, undefined])
    expect([first.nullCount(1), first.nanCount(4), first.nanCount(1)]).toEqual([0, 2, undefined])
    expect(first.lowerBound(1)).toEqual(Uint8Array.of(1))
    expect(first.lowerBound(2)).toEqual(Uint8Array.of())
    expect([first.lowerBound(3), first.upperBound(1)]).toEqual([undefined, undefined])
    const second = manifest.statistics(1)
    expect(second.partition()).toEqual([null])
    expect(second.valueCount(1)).toBeUndefined()
    expect(second.lowerBound(1)).toBeUndefined()
    expect([first.partition(), second.partition()]).toEqual([[5], [null]])
  })

  test('of an int column that has become a long is rewritten as longs', () => {
    const spec = {
      specId: 1,
      fields: [{ fieldId: 1000, sourceId: 2, name: 'n', transform: { kind: 'identity' } as const }],
    }
    const read = (type: 'int' | 'long', value: number) => {
      const schema = {
        ...SCHEMA,
        fields: [{ id: 2, name: 'n', required: false, type: { kind: type } }],
      }
      const file = encodeManifest({
        entries: [addedFile(1, { partition: [value] })],
        schema,
        spec,
        content: 'data',
      })
      return decodeManifest(file, manifestFile()).entry(0).dataFile.partition
    }
    expect(read('int', 5)).toEqual([5])
    expect(read('long', 5)).toEqual([5n])
  })

  test('of version 2 refuses deletion vectors', () => {
    const write = () => encodeDays([addedFile(1, { format: 'puffin', contentOffset: 4 })])
    expect(write).toThrow(expect.objectContaining({ code: 'not-implemented' }))
  })

  test('of version 3 keeps deletion vectors and row ids, each in its field', () => {
    const vector: Partial<DataFile> = {
      ...{ content: 'position-deletes', format: 'puffin', referencedDataFile: 'file:///a.parquet' },
      ...{ contentOffset: 4, contentSizeBytes: 2 ** 40 },
    }
    const written = [addedFile(1, { firstRowId: 2n ** 60n }), addedFile(2, vector), addedFile(3)]
    const common = { schema: SCHEMA, spec: DAY_SPEC, content: 'deletes', version: 3 } as const
    const file = encodeManifest({ ...common, entries: written })
    const { specId } = DAY_SPEC
    const manifest = decodeManifest(file, manifestFile({ content: 'deletes', specId }))
    expect([0, 1, 2].map((i) => manifest.entry(i).dataFile)).toEqual(
      written.map(({ dataFile }) => ({ ...dataFile, specId })),
    )
    const metadata = Object.fromEntries(readAvroContainer(file).metadata)
    expect(metadata['format-version']).toBe('3')
    for (const id of [142, 143, 144, 145]) {
      expect(metadata['avro.schema']).toContain(`"field-id":${id}`)
    }
  })

  test('cannot be written without the source column that types a partition', () => {
    const write = () =>
      encodeManifest({
        entries: [],
        schema: { ...SCHEMA, fields: [] },
        spec: WIDE_SPEC,
        content: 'data',
      })
    expect(write).toThrow('no schema of the table has its column 1')
  })

  test('of many entries is cut into blocks', () => {
    const bound = new Map([[1, new Uint8Array(2000)]])
    const written = Array.from({ length: 100 }, (_, i) => addedFile(i, { lowerBounds: bound }))
    const large = addedFile(100, { keyMetadata: new Uint8Array(300_000) })
    const file = encodeDays([...written, large, addedFile(101)])
    expect(readAvroContainer(file).blocks.map((block) => block.count)).toEqual([32, 32, 32, 5, 1])
    const manifest = decodeManifest(file, manifestFile())
    expect(manifest.entryCount).toBe(102)
    expect(manifest.entry(101).dataFile.partition).toEqual([101])
    expect(manifest.entry(100).dataFile.keyMetadata).toHaveLength(300_000)
  })
})

/** Both sides as plain values in one order: an independent look at what is on disk. */
function fromEntry({
  status,
  snapshotId,
  sequenceNumber,
  fileSequenceNumber,
  dataFile,
}: ManifestEntry) {
  const pairs = (map: ReadonlyMap<number, unknown> | undefined) =>
    map === undefined ? null : byKey([...map].map(([key, value]) => [key, plain(value)]))
  return [
    ['existing', 'added', 'deleted'].indexOf(status),
    snapshotId,
    sequenceNumber,
    fileSequenceNumber,
    ['data', 'position-deletes', 'equality-deletes'].indexOf(dataFile.content),
    dataFile.path,
    dataFile.format.toUpperCase(),
    dataFile.partition.map((value, i) => plain(value, SCHEMA.fields[i]?.type.kind === 'decimal')),
    BigInt(dataFile.recordCount),
    BigInt(dataFile.fileSizeBytes),
    pairs(dataFile.columnSizes),
    pairs(dataFile.valueCounts),
    pairs(dataFile.nullValueCounts),
    pairs(dataFile.nanValueCounts),
    pairs(dataFile.lowerBounds),
    pairs(dataFile.upperBounds),
    plain(dataFile.keyMetadata),
    dataFile.splitOffsets?.map(BigInt) ?? null,
    dataFile.equalityIds ?? null,
    dataFile.sortOrderId ?? null,
    dataFile.referencedDataFile ?? null,
  ]
}

function fromAvsc(record: Record<string, unknown>) {
  const file = record['data_file'] as Record<string, unknown>
  const pairs = (name: string) =>
    file[name] === null
      ? null
      : byKey(
          (file[name] as { key: number; value: unknown }[]).map(({ key, value }) => [
            key,
            plain(value),
          ]),
        )
  return [
    record['status'],
    record['snapshot_id'],
    record['sequence_number'],
    record['file_sequence_number'],
    file['content'],
    file['file_path'],
    file['file_format'],
    Object.values(file['partition'] as object).map((value, i) =>
      SCHEMA.fields[i]?.type.kind === 'decimal' && value !== null ? decimal(value) : plain(value),
    ),
    file['record_count'],
    file['file_size_in_bytes'],
    pairs('column_sizes'),
    pairs('value_counts'),
    pairs('null_value_counts'),
    pairs('nan_value_counts'),
    pairs('lower_bounds'),
    pairs('upper_bounds'),
    plain(file['key_metadata']),
    file['split_offsets'],
    file['equality_ids'],
    file['sort_order_id'],
    file['referenced_data_file'],
  ]
}

function plain(value: unknown, isDecimal = false): unknown {
  if (value === undefined) return null
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (isDecimal && typeof value === 'bigint') return `decimal ${value}`
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

function decimal(bytes: Buffer): string {
  return `decimal ${BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`))}`
}

/** A map has no order. */
function byKey(pairs: readonly [number, unknown][]): readonly [number, unknown][] {
  return pairs.toSorted(([left], [right]) => left - right)
}
