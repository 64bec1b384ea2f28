import fc from 'fast-check'
import type { Field, Schema, Type } from '../../../src/core/value/type.ts'
import {
  schemaFromJson,
  schemaToJson,
  typeFromJson,
  typeToJson,
} from '../../../src/formats/metadata/schema-json.ts'
import { snapshotFromJson, snapshotToJson } from '../../../src/formats/metadata/snapshot-json.ts'
import {
  partitionSpecFromJson,
  partitionSpecToJson,
  sortOrderFromJson,
  sortOrderToJson,
} from '../../../src/formats/metadata/spec-json.ts'
import { WIDE_SPEC } from '../manifest/manifest-samples.ts'

const id = fc.nat()

const types = fc.letrec<{ type: Type; field: Field }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Type>({ kind: 'long' }, { kind: 'string' }, { kind: 'variant' }),
    fc.record({
      kind: fc.constant('decimal'),
      precision: fc.integer({ min: 10, max: 38 }),
      scale: fc.nat(10),
    }),
    fc.record({ kind: fc.constant('fixed'), length: fc.integer({ min: 1, max: 99 }) }),
    fc.constant<Type>({ kind: 'opaque', name: 'geography(srid:4326, karney)' }),
    fc.record({
      kind: fc.constant('list'),
      elementId: id,
      elementRequired: fc.boolean(),
      element: tie('type'),
    }),
    fc.record({
      kind: fc.constant('map'),
      keyId: id,
      key: tie('type'),
      valueId: id,
      valueRequired: fc.boolean(),
      value: tie('type'),
    }),
    fc.record({ kind: fc.constant('struct'), fields: fc.array(tie('field'), { maxLength: 3 }) }),
  ) as fc.Arbitrary<Type>,
  field: fc.record(
    {
      id,
      name: fc.string(),
      required: fc.boolean(),
      type: tie('type'),
      doc: fc.string(),
      initialDefault: fc.oneof(fc.string(), fc.integer(), fc.constant(false)),
      writeDefault: fc.oneof(fc.string(), fc.integer()),
    },
    { requiredKeys: ['id', 'name', 'required', 'type'] },
  ) as fc.Arbitrary<Field>,
}))

describe('JSON of schemas', () => {
  test('is read as it was written, through text', () => {
    const schemas: fc.Arbitrary<Schema> = fc.record({
      schemaId: id,
      fields: fc.array(types.field, { maxLength: 4 }),
      identifierFieldIds: fc.array(id, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(schemas, (schema) => {
        const json = JSON.parse(JSON.stringify(schemaToJson(schema)))
        expect(schemaFromJson(json)).toEqual(schema)
      }),
    )
  })

  test('is that of the specification', () => {
    const list: Type = {
      kind: 'list',
      elementId: 3,
      elementRequired: true,
      element: { kind: 'decimal', precision: 9, scale: 2 },
    }
    expect(typeToJson(list)).toEqual({
      type: 'list',
      'element-id': 3,
      'element-required': true,
      element: 'decimal(9, 2)',
    })
    expect(typeToJson({ kind: 'fixed', length: 16 })).toBe('fixed[16]')
  })

  test('takes decimals with and without spaces', () => {
    for (const name of ['decimal(9,2)', 'decimal(9, 2)', 'decimal( 9 ,2 )']) {
      expect(typeFromJson(name)).toEqual({ kind: 'decimal', precision: 9, scale: 2 })
    }
  })

  test('names the path and the code that the caller gives', () => {
    const read = () =>
      schemaFromJson({ fields: [{ id: 1 }] }, { path: 'schema', code: 'schema-invalid' })
    expect(read).toThrow('schema.fields[0].name: is missing')
    expect(read).toThrow(expect.objectContaining({ code: 'schema-invalid' }))
  })

  test.each([
    'decimal(0,0)',
    'decimal(9,10)',
    'decimal(9)',
    'decimal',
    'fixed[0]',
    'fixed[9999999999]',
    'fixed',
    5,
    null,
    {},
    { type: 'lists' },
    { type: 'list', 'element-id': -1, element: 'int', 'element-required': true },
    'x'.repeat(1001),
  ])('refuses %p as a type', (json) => {
    expect(() => typeFromJson(json)).toThrow(expect.objectContaining({ code: 'metadata-corrupt' }))
  })

  test('refuses types within types without end', () => {
    let json: unknown = 'int'
    for (let i = 0; i < 100_000; i++) {
      json = { type: 'list', 'element-id': 1, 'element-required': true, element: json }
    }
    expect(() => typeFromJson(json)).toThrow('too many levels')
  })
})

describe('JSON of specs, orders and snapshots', () => {
  test('is read as it was written', () => {
    expect(partitionSpecFromJson(partitionSpecToJson(WIDE_SPEC))).toEqual(WIDE_SPEC)
    const order = {
      orderId: 3,
      fields: [
        {
          sourceId: 2,
          transform: { kind: 'bucket', buckets: 4 },
          direction: 'desc',
          nullOrder: 'nulls-first',
        },
      ],
    } as const
    expect(sortOrderFromJson(sortOrderToJson(order))).toEqual(order)
    const snapshot = {
      snapshotId: 2n ** 62n,
      parentSnapshotId: 5n,
      sequenceNumber: 3n,
      timestampMs: 1,
      operation: 'replace',
      summary: { a: 'b' },
      manifestList: 'file:///list.avro',
      schemaId: 2,
      firstRowId: 7n,
      addedRows: 8n,
    } as const
    expect(snapshotFromJson(snapshotToJson(snapshot))).toEqual(snapshot)
  })

  test('has a snapshot without a schema id belong to the given schema', () => {
    const json = { 'snapshot-id': 1, 'timestamp-ms': 2, 'manifest-list': 'x' }
    expect(snapshotFromJson(json, { schemaId: 4 }).schemaId).toBe(4)
    expect(snapshotFromJson({ ...json, 'parent-snapshot-id': -1 }).parentSnapshotId).toBeNull()
  })

  test('refuses ids that were rounded or are too large', () => {
    const json = { 'timestamp-ms': 2, 'manifest-list': 'x' }
    for (const snapshotId of [2 ** 60, 2n ** 63n, 1.5, '1']) {
      expect(() => snapshotFromJson({ ...json, 'snapshot-id': snapshotId })).toThrow('.snapshot-id')
    }
  })

  test('refuses a partition field of no column', () => {
    const field = { name: 'a', transform: 'identity', 'source-ids': [] }
    expect(() => partitionSpecFromJson({ fields: [field] })).toThrow('names no column')
  })
})
