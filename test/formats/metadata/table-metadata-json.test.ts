import fc from 'fast-check'
import { UNPARTITIONED, UNSORTED } from '../../../src/core/partition/partition-spec.ts'
import type { TableMetadata } from '../../../src/core/table/table.ts'
import {
  parseTableMetadata,
  tableMetadataToJson,
} from '../../../src/formats/metadata/table-metadata-json.ts'
import { DAY_SPEC, SCHEMA, WIDE_SPEC } from '../manifest/manifest-samples.ts'

const SNAPSHOT_ID = 3055729675574597004n
const PARENT_ID = 3051729675574597004n

const METADATA: TableMetadata = {
  definition: {
    formatVersion: 2,
    tableUuid: '9c12d441-03fe-4693-9a96-a0705ddf69c1',
    location: 's3://bucket/test/location',
    lastColumnId: 15,
    schemas: [{ schemaId: 0, fields: [], identifierFieldIds: [1, 2] }, SCHEMA],
    currentSchemaId: 3,
    partitionSpecs: [UNPARTITIONED, DAY_SPEC, WIDE_SPEC],
    defaultSpecId: 7,
    lastPartitionId: 1103,
    sortOrders: [
      UNSORTED,
      {
        orderId: 1,
        fields: [
          {
            sourceId: 2,
            transform: { kind: 'truncate', width: 4 },
            direction: 'desc',
            nullOrder: 'nulls-last',
          },
        ],
      },
    ],
    defaultSortOrderId: 1,
    properties: { 'read.split.target.size': '134217728', ['__proto__']: 'kept' },
  },
  lastSequenceNumber: 34n,
  lastUpdatedMs: 1602638573590,
  currentSnapshotId: SNAPSHOT_ID,
  snapshots: [
    {
      snapshotId: PARENT_ID,
      parentSnapshotId: null,
      sequenceNumber: 1n,
      timestampMs: 1515100955770,
      operation: 'append',
      summary: { 'added-records': '3' },
      manifestList: 's3://a/b/1.avro',
      schemaId: 0,
    },
    {
      snapshotId: SNAPSHOT_ID,
      parentSnapshotId: PARENT_ID,
      sequenceNumber: 2n ** 60n,
      timestampMs: 1555100955770,
      operation: 'overwrite',
      summary: {},
      manifestList: 's3://a/b/2.avro',
      schemaId: 3,
    },
  ],
  snapshotLog: [
    { timestampMs: 1515100955770, snapshotId: PARENT_ID },
    { timestampMs: 1555100955770, snapshotId: SNAPSHOT_ID },
  ],
  metadataLog: [{ timestampMs: 1515100, metadataFile: 's3://bucket/v1.json' }],
  refs: {
    main: { type: 'branch', snapshotId: SNAPSHOT_ID },
    t: {
      type: 'tag',
      snapshotId: PARENT_ID,
      maxRefAgeMs: 5,
    },
    b: { type: 'branch', snapshotId: PARENT_ID, minSnapshotsToKeep: 2, maxSnapshotAgeMs: 9 },
  },
}

type Json = Record<string, unknown>

/** The metadata as JSON with rounded ids, after a change. */
function edited(change: (json: Json) => void): string {
  const metadata = { ...METADATA, currentSnapshotId: undefined, snapshots: [], refs: {} }
  const json = JSON.parse(tableMetadataToJson(metadata)) as Json
  change(json)
  return JSON.stringify(json)
}

/** Version 1, as the first writers made it. */
const VERSION_1 = `{
  "format-version": 1, "location": "s3://bucket/old/",
  "last-updated-ms": 1600000000000, "last-column-id": 3,
  "schema": {"type": "struct", "fields": [
    {"id": 1, "name": "x", "required": true, "type": "long"},
    {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
    {"id": 3, "name": "z", "required": true, "type": "decimal(9,2)"}]},
  "partition-spec": [{"name": "x", "transform": "identity", "source-id": 1},
    {"name": "y_bucket", "transform": "bucket[16]", "source-id": 2}],
  "properties": {}, "current-snapshot-id": 9223372036854775807,
  "snapshots": [{"snapshot-id": 9223372036854775807, "timestamp-ms": 1600000000000,
    "manifest-list": "s3://bucket/old/list.avro"}]
}`

describe('table metadata', () => {
  test('is read as it was written', () => {
    const read = parseTableMetadata(tableMetadataToJson(METADATA))
    expect(read).toEqual(METADATA)
    const { properties } = read.definition
    expect(Object.getOwnPropertyDescriptor(properties, '__proto__')?.value).toBe('kept')
  })

  test('has all that version 2 requires, and no current snapshot when there is none', () => {
    const json = JSON.parse(edited(() => {})) as Json
    expect(Object.keys(json)).toEqual(
      expect.arrayContaining([
        'format-version',
        'table-uuid',
        'location',
        'last-sequence-number',
        'last-updated-ms',
        'last-column-id',
        'schemas',
        'current-schema-id',
        'partition-specs',
        'default-spec-id',
        'last-partition-id',
        'sort-orders',
        'default-sort-order-id',
        'properties',
        'snapshots',
        'snapshot-log',
        'metadata-log',
        'refs',
      ]),
    )
    expect(json).not.toHaveProperty('current-snapshot-id')
    expect(json['format-version']).toBe(2)
  })

  test('writes 64-bit ids exactly', () => {
    expect(tableMetadataToJson(METADATA)).toContain(`"current-snapshot-id":${SNAPSHOT_ID}`)
    expect(tableMetadataToJson(METADATA)).toContain(`"sequence-number":${2n ** 60n}`)
  })

  test('of version 1 gets the defaults of the specification', () => {
    const { definition, ...rest } = parseTableMetadata(VERSION_1)
    expect(definition).toMatchObject({
      formatVersion: 1,
      location: 's3://bucket/old',
      currentSchemaId: 0,
      defaultSpecId: 0,
      lastPartitionId: 1001,
      sortOrders: [UNSORTED],
    })
    expect(definition.tableUuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/)
    expect(parseTableMetadata(VERSION_1).definition.tableUuid).toBe(definition.tableUuid)
    expect(definition.schemas[0]?.fields[2]?.type).toEqual({
      kind: 'decimal',
      precision: 9,
      scale: 2,
    })
    expect(definition.partitionSpecs[0]?.fields).toEqual([
      { fieldId: 1000, sourceId: 1, name: 'x', transform: { kind: 'identity' } },
      { fieldId: 1001, sourceId: 2, name: 'y_bucket', transform: { kind: 'bucket', buckets: 16 } },
    ])
    expect(rest).toMatchObject({ lastSequenceNumber: 0n, currentSnapshotId: 2n ** 63n - 1n })
    expect(rest.refs).toEqual({ main: { type: 'branch', snapshotId: 2n ** 63n - 1n } })
    expect(rest.snapshots).toMatchObject([
      { sequenceNumber: 0n, operation: 'overwrite', summary: {}, schemaId: 0 },
    ])
  })

  test('version 1 is kept while there are no sequence numbers, else it is version 2', () => {
    const first = parseTableMetadata(VERSION_1)
    const text = tableMetadataToJson(first)
    expect(parseTableMetadata(text)).toEqual(first)
    expect(JSON.parse(text)).toMatchObject({
      'format-version': 1,
      schema: { fields: [{ name: 'x' }, { name: 'y' }, { name: 'z' }] },
      'partition-spec': [{ name: 'x', 'source-id': 1 }, { name: 'y_bucket' }],
    })
    expect(text).not.toMatch('sequence-number')

    const later = { ...first, lastSequenceNumber: 1n }
    const definition = { ...first.definition, formatVersion: 2 }
    expect(parseTableMetadata(tableMetadataToJson(later))).toEqual({ ...later, definition })
  })

  test('keeps statistics, encryption keys and how long the main branch is kept', () => {
    const statistics = { 'snapshot-id': SNAPSHOT_ID, 'statistics-path': 's.puffin', more: [1] }
    const definition = {
      ...METADATA.definition,
      formatVersion: 3 as const,
      nextRowId: 2n ** 60n,
      statistics: { [String(SNAPSHOT_ID)]: statistics },
      partitionStatistics: { [String(PARENT_ID)]: { 'snapshot-id': PARENT_ID, a: null } },
      encryptionKeys: { k1: { 'key-id': 'k1', 'encrypted-key-metadata': 'AA==' } },
      mainRetention: { minSnapshotsToKeep: 3, maxRefAgeMs: 7 },
    }
    const read = parseTableMetadata(tableMetadataToJson({ ...METADATA, definition }))
    expect(read.definition).toEqual(definition)
    expect(read.nextRowId).toBe(2n ** 60n)
    expect(read.refs['main']).toEqual({
      type: 'branch',
      snapshotId: SNAPSHOT_ID,
      minSnapshotsToKeep: 3,
      maxRefAgeMs: 7,
    })
  })

  test('of version 3 keeps row ids, and transforms and types that are not known here', () => {
    const text = edited((json) => {
      json['format-version'] = 3
      json['next-row-id'] = 25
      json['partition-specs'] = [
        {
          'spec-id': 7,
          fields: [
            { 'source-ids': [1, 2], 'field-id': 1000, name: 'p', transform: 'bucketV2[4]' },
            { 'source-ids': [1], 'field-id': 1001, name: 'q', transform: 'identity' },
          ],
        },
      ]
      const field = { id: 4, name: 'g', required: false, type: 'geometry(srid:4326)' }
      json['schemas'] = [
        {
          'schema-id': 3,
          type: 'struct',
          fields: [{ ...field, 'initial-default': 'x', 'write-default': null }],
        },
      ]
    })
    const read = parseTableMetadata(text)
    expect(read.nextRowId).toBe(25n)
    expect(read.definition.partitionSpecs[0]?.fields).toMatchObject([
      { sourceId: 1, transform: { kind: 'unknown', text: 'bucketV2[4]' } },
      { sourceId: 1, transform: { kind: 'identity' } },
    ])
    expect(read.definition.schemas[0]?.fields).toEqual([
      {
        id: 4,
        name: 'g',
        required: false,
        type: { kind: 'opaque', name: 'geometry(srid:4326)' },
        initialDefault: 'x',
      },
    ])
    expect(parseTableMetadata(tableMetadataToJson(read))).toEqual(read)
  })

  test('takes -1 and null for no current snapshot', () => {
    for (const none of [-1, null]) {
      const text = edited((json) => {
        json['current-snapshot-id'] = none
      })
      expect(parseTableMetadata(text).currentSnapshotId).toBeUndefined()
    }
  })

  test('has its snapshots oldest first, whatever their order in the file', () => {
    const snapshots = METADATA.snapshots.toReversed()
    const read = parseTableMetadata(tableMetadataToJson({ ...METADATA, snapshots }))
    expect(read.snapshots).toEqual(METADATA.snapshots)
  })

  test('does without logs, refs and statistics', () => {
    const text = edited((json) => {
      for (const key of ['snapshot-log', 'metadata-log', 'refs', 'statistics', 'snapshots']) {
        delete json[key]
      }
    })
    expect(parseTableMetadata(text)).toMatchObject({ snapshotLog: [], metadataLog: [], refs: {} })
  })

  test('takes "for ever" as an age for the longest that a number holds', () => {
    const text = tableMetadataToJson(METADATA).replace(
      '"max-ref-age-ms":5',
      `"max-ref-age-ms":${2n ** 63n - 1n}`,
    )
    expect(parseTableMetadata(text).refs['t']?.maxRefAgeMs).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.each<[string, (json: Json) => void, string]>([
    ['no version', (json) => delete json['format-version'], '$.format-version: is missing'],
    ['version 0', (json) => (json['format-version'] = 0), '$.format-version: 0 is not a version'],
    [
      'a UUID with a path',
      (json) => (json['table-uuid'] = '../../x'),
      '$.table-uuid: expected a UUID',
    ],
    ['no location', (json) => (json['location'] = 5), '$.location: expected a string, found 5'],
    ['a missing sequence number', (json) => delete json['last-sequence-number'], 'is missing'],
    ['an ill-typed property', (json) => (json['properties'] = { a: 1 }), '$.properties["a"]: '],
    ['another current schema', (json) => (json['current-schema-id'] = 9), "current schema's id, 9"],
    ['another default spec', (json) => (json['default-spec-id'] = 99), "default spec's id, 99"],
    [
      'another default order',
      (json) => (json['default-sort-order-id'] = 9),
      "default order's id, 9",
    ],
    [
      'an unlisted snapshot',
      (json) => (json['current-snapshot-id'] = 1),
      'not among the snapshots',
    ],
    ['a float', (json) => (json['last-updated-ms'] = 1.5), 'expected an integer, found 1.5'],
    ['an id of 2^40', (json) => (json['last-column-id'] = 2 ** 40), '$.last-column-id: '],
    ['a list as an object', (json) => (json['schemas'] = {}), '$.schemas: expected an array'],
    [
      'a main branch elsewhere',
      (json) => (json['refs'] = { main: { type: 'branch', 'snapshot-id': 1 } }),
      '$.refs: the main branch is not at the current snapshot',
    ],
    [
      'an odd transform',
      (json) =>
        (json['partition-specs'] = [{ 'spec-id': 7, fields: [{ name: 'a', transform: 1 }] }]),
      '$.partition-specs[0].fields[0].transform: expected a string, found 1',
    ],
    [
      'a decimal of 39 digits',
      (json) => {
        const field = { id: 1, name: 'a', required: true, type: 'decimal(39,2)' }
        json['schemas'] = [{ 'schema-id': 3, fields: [field] }]
      },
      '$.schemas[0].fields[0].type: "decimal(39,2)" is not a decimal type',
    ],
  ])('with %s is corrupt, and the error says where', (_, change, message) => {
    const read = () => parseTableMetadata(edited(change))
    expect(read).toThrow(message)
    expect(read).toThrow(expect.objectContaining({ code: 'metadata-corrupt' }))
  })

  test('of a later version is not implemented', () => {
    const version4 = edited((json) => {
      json['format-version'] = 4
    })
    const error = expect.objectContaining({ code: 'not-implemented' })
    expect(() => parseTableMetadata(version4)).toThrow(error)
  })

  test('of version 1 may name the manifests of a snapshot, and is written as it was', () => {
    const list = '"manifest-list": "s3://bucket/old/list.avro"'
    const text = VERSION_1.replace(list, '"manifests": ["s3://bucket/old/m.avro"]')
    const metadata = parseTableMetadata(text)
    const inline = { manifestList: '', inlineManifests: ['s3://bucket/old/m.avro'] }
    expect(metadata.snapshots).toEqual([expect.objectContaining(inline)])
    expect(parseTableMetadata(tableMetadataToJson(metadata))).toEqual(metadata)
    const both = VERSION_1.replace(list, `${list}, "manifests": []`)
    expect(parseTableMetadata(both)).toEqual(parseTableMetadata(VERSION_1))
  })

  test('with anything changed is read or refused as corrupt', () => {
    const text = tableMetadataToJson(METADATA)
    const values = fc.oneof(fc.jsonValue(), fc.bigInt())
    const paths = fc.array(fc.nat(30), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(paths, values, (path, value) => {
        const json = JSON.parse(text) as Json
        let parent: Json = json
        let key = ''
        for (const step of path) {
          const keys = Object.keys(parent)
          key = keys[step % Math.max(1, keys.length)] ?? ''
          const next = parent[key]
          if (typeof next !== 'object' || next === null) break
          parent = next as Json
        }
        parent[key] = typeof value === 'bigint' ? `big ${value}` : value
        const hostile = JSON.stringify(json).replace(/"big (-?\d+)"/g, '$1')
        expect(outcome(() => parseTableMetadata(hostile))).toMatch(
          /^(read|metadata-corrupt|not-imp)/,
        )
      }),
      { numRuns: 1000 },
    )
  })

  test('that is no JSON, or too deep, is corrupt', () => {
    const deep = `{"format-version":2,"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}`
    for (const text of ['', '{', 'null', '[]', '5', '"x"', deep]) {
      expect(outcome(() => parseTableMetadata(text))).toBe('metadata-corrupt')
    }
  })
})

function outcome(read: () => unknown): string {
  try {
    read()
    return 'read'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
