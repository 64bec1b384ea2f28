import type { TableUpdate } from '../../../../src/core/metadata/table-update.ts'
import { parseExactJson } from '../../../../src/formats/json/exact-json.ts'
import {
  parseCommitTableRequest,
  parseCommitTransactionRequest,
  parseCreateTableRequest,
} from '../../../../src/modules/iceberg-rest/requests/table-request-json.ts'
import { refusalOf } from '../../../refusal.ts'

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
}

function updatesOf(...updates: object[]): readonly TableUpdate[] {
  return parseCommitTableRequest({ requirements: [], updates }).updates
}

function refusal(request: unknown, parse: (json: unknown) => unknown = parseCommitTableRequest) {
  const { code, message } = refusalOf(() => parse(request))
  expect(code).toBe('update-invalid')
  return message
}

describe('a commit of a table', () => {
  test('has requirements and updates, and may name its table', () => {
    const request = parseExactJson(`{
      "identifier": {"namespace": ["a", "b.c"], "name": "tÿ/1"},
      "requirements": [
        {"type": "assert-create"},
        {"type": "assert-table-uuid", "uuid": "u"},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 9223372036854775807},
        {"type": "assert-ref-snapshot-id", "ref": "b", "snapshot-id": null},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1},
        {"type": "assert-current-schema-id", "current-schema-id": 2},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 3},
        {"type": "assert-default-spec-id", "default-spec-id": 4},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 5, "more": []}
      ],
      "updates": [{"action": "remove-snapshots", "snapshot-ids": [9223372036854775806, 1]}],
      "more": 1}`)
    expect(parseCommitTableRequest(request)).toEqual({
      identifier: { namespace: ['a', 'b.c'], name: 'tÿ/1' },
      requirements: [
        { type: 'assert-create' },
        { type: 'assert-table-uuid', uuid: 'u' },
        { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 2n ** 63n - 1n },
        { type: 'assert-ref-snapshot-id', ref: 'b', snapshotId: null },
        { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 1 },
        { type: 'assert-current-schema-id', currentSchemaId: 2 },
        { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 3 },
        { type: 'assert-default-spec-id', defaultSpecId: 4 },
        { type: 'assert-default-sort-order-id', defaultSortOrderId: 5 },
      ],
      updates: [{ action: 'remove-snapshots', snapshotIds: [2n ** 63n - 2n, 1n] }],
    })
  })

  test('takes -1 for what was added last, unknown members, and words of old clients', () => {
    expect(
      updatesOf(
        { action: 'set-current-schema', 'schema-id': -1, later: true },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
        { action: 'set-properties', updated: { a: 'b' } },
        { action: 'remove-properties', removed: ['a'] },
      ),
    ).toEqual([
      { action: 'set-current-schema', schemaId: -1 },
      { action: 'set-default-spec', specId: -1 },
      { action: 'set-default-sort-order', sortOrderId: -1 },
      { action: 'set-properties', updates: { a: 'b' } },
      { action: 'remove-properties', removals: ['a'] },
    ])
  })

  test('tells partition fields with ids from those without', () => {
    const fields = [
      { name: 'a', transform: 'day', 'source-id': 1 },
      { name: 'b', transform: 'bucket[4]', 'source-ids': [2], 'field-id': 1004 },
    ]
    expect(updatesOf({ action: 'add-spec', spec: { fields } })).toEqual([
      {
        action: 'add-spec',
        spec: {
          fields: [
            { name: 'a', transform: { kind: 'day' }, sourceId: 1 },
            { name: 'b', transform: { kind: 'bucket', buckets: 4 }, sourceId: 2, fieldId: 1004 },
          ],
        },
      },
    ])
  })

  test('keeps statistics as they are', () => {
    const statistics = {
      'snapshot-id': 5,
      'statistics-path': 'p',
      'file-size-in-bytes': 1,
      'blob-metadata': [{ type: 'x' }],
    }
    expect(
      updatesOf(
        { action: 'set-statistics', 'snapshot-id': 5, statistics },
        { action: 'set-partition-statistics', 'partition-statistics': statistics },
      ),
    ).toEqual([
      { action: 'set-statistics', snapshotId: 5n, statistics },
      { action: 'set-partition-statistics', snapshotId: 5n, statistics },
    ])
    const update = { action: 'set-statistics', 'snapshot-id': 6, statistics }
    expect(refusal({ requirements: [], updates: [update] })).toBe(
      '$.updates[0].snapshot-id: differs from that of the statistics, 5',
    )
  })

  const snapshot = {
    'snapshot-id': 1,
    'sequence-number': 1,
    'timestamp-ms': 1,
    'manifest-list': 'm',
    summary: { operation: 'append' },
  }

  test.each<[string, object, string]>([
    [
      'an unknown action',
      { action: 'drop-everything' },
      '.action: unknown update "drop-everything"',
    ],
    ['an action of objects', { action: 'constructor' }, '.action: unknown update "constructor"'],
    [
      "a view's action",
      { action: 'set-current-view-version' },
      '.action: unknown update "set-current-view-version"',
    ],
    ['no action', {}, '.action: is missing'],
    ['a uuid that is none', { action: 'assign-uuid', uuid: '../x' }, '.uuid: expected a UUID'],
    [
      'a rounded id',
      { action: 'remove-statistics', 'snapshot-id': 2 ** 60 },
      '.snapshot-id: expected an integer',
    ],
    [
      'a null property',
      { action: 'set-properties', updates: { a: null } },
      '.updates["a"]: expected a string',
    ],
    [
      'an id of -2',
      { action: 'set-current-schema', 'schema-id': -2 },
      '.schema-id: -2 is not an id',
    ],
    [
      'no summary',
      { action: 'add-snapshot', snapshot: { ...snapshot, summary: undefined } },
      '.snapshot.summary: is missing',
    ],
    [
      'no operation',
      { action: 'add-snapshot', snapshot: { ...snapshot, summary: {} } },
      '.snapshot.summary.operation: is missing',
    ],
    [
      'an odd operation',
      { action: 'add-snapshot', snapshot: { ...snapshot, summary: { operation: 'x' } } },
      'expected one of append',
    ],
    [
      'a bad type',
      {
        action: 'add-schema',
        schema: { ...SCHEMA, fields: [{ ...SCHEMA.fields[0], type: 'decimal(99,1)' }] },
      },
      '.schema.fields[0].type: "decimal(99,1)" is not a decimal type',
    ],
    [
      'an odd ref type',
      { action: 'set-snapshot-ref', 'ref-name': 'b', type: 'x', 'snapshot-id': 1 },
      '.type: expected one of branch, tag',
    ],
    [
      'a key without its secret',
      { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'k' } },
      '.encrypted-key-metadata: is missing',
    ],
    [
      'too many snapshots',
      { action: 'remove-snapshots', 'snapshot-ids': Array(100_001).fill(1) },
      'the limit is 100000',
    ],
    [
      'too many removals',
      { action: 'remove-properties', removals: Array(10_001).fill('a') },
      'the limit is 10000',
    ],
  ])('with %s is refused, and the error says where', (_what, update, message) => {
    const fine = { action: 'set-location', location: 'l' }
    const found = refusal({ requirements: [], updates: [fine, update] })
    expect(found).toMatch('$.updates[1]')
    expect(found).toContain(message)
  })

  test.each<[string, unknown, string]>([
    ['null', null, '$: expected an object'],
    ['a list', [], '$: expected an object'],
    ['no updates', { requirements: [] }, '$.updates: is missing'],
    ['requirements that are no list', { requirements: {}, updates: [] }, '$.requirements: '],
    [
      'an odd requirement',
      { requirements: [{ type: 'x' }], updates: [] },
      '$.requirements[0].type: expected one of',
    ],
    [
      'an empty name',
      { identifier: { namespace: [], name: '' }, requirements: [], updates: [] },
      '$.identifier.name: is empty',
    ],
  ])('that is or has %s is refused', (_what, request, message) => {
    expect(refusal(request)).toContain(message)
  })

  test.each<[string, unknown]>([
    ['no requirements', { updates: [] }],
    ['null in their place', { requirements: null, updates: [] }],
  ])('with %s has none, as with Iceberg for Java', (_what, request) => {
    expect(parseCommitTableRequest(request).requirements).toEqual([])
  })

  test('has at most 5,000 updates', () => {
    const updates = Array.from({ length: 5_000 }, () => ({ action: 'set-location', location: 'l' }))
    expect(parseCommitTableRequest({ requirements: [], updates }).updates).toHaveLength(5_000)
    expect(refusal({ requirements: [], updates: [...updates, {}] })).toBe(
      '$.updates: has 5001 items: the limit is 5000',
    )
  })
})

describe('a commit of several tables', () => {
  const change = (name: string, count = 1) => ({
    identifier: { namespace: ['n'], name },
    requirements: [],
    updates: Array.from({ length: count }, () => ({ action: 'set-location', location: 'l' })),
  })

  test('has a change for each', () => {
    const changes = parseCommitTransactionRequest({ 'table-changes': [change('a'), change('b')] })
    expect(changes.map((c) => c.identifier.name)).toEqual(['a', 'b'])
  })

  test('is refused without a table, without a name, and with too many updates in all', () => {
    const { identifier: _, ...unnamed } = change('a')
    const refused = (...changes: object[]) =>
      refusal({ 'table-changes': changes }, parseCommitTransactionRequest)
    expect(refused()).toBe('$.table-changes: is empty')
    expect(refused(unnamed)).toBe('$.table-changes[0].identifier: is missing')
    expect(refused(change('a', 3_000), change('b', 2_001))).toBe(
      '$.table-changes[1].updates: has 2001 items: the limit is 2000',
    )
  })
})

describe('a request for a new table', () => {
  test('needs a name and a schema', () => {
    expect(parseCreateTableRequest({ name: 't', schema: SCHEMA })).toMatchObject({
      name: 't',
      location: undefined,
      spec: undefined,
      sortOrder: undefined,
      properties: {},
      stageCreate: false,
    })
    expect(refusal({ name: 't' }, parseCreateTableRequest)).toBe('$.schema: is missing')
    expect(refusal({ schema: SCHEMA }, parseCreateTableRequest)).toBe('$.name: is missing')
  })

  test('may have everything else', () => {
    const request = parseCreateTableRequest({
      name: 't',
      schema: SCHEMA,
      location: 'file:/w/t',
      'partition-spec': {
        'spec-id': 0,
        fields: [{ name: 'a', transform: 'void', 'source-id': 1 }],
      },
      'write-order': {
        'order-id': 1,
        fields: [
          { transform: 'identity', 'source-id': 1, direction: 'desc', 'null-order': 'nulls-last' },
        ],
      },
      properties: { owner: 'me' },
      'stage-create': true,
    })
    expect(request).toMatchObject({
      location: 'file:/w/t',
      spec: { fields: [{ name: 'a', sourceId: 1, transform: { kind: 'void' } }] },
      sortOrder: { fields: [{ direction: 'desc' }] },
      properties: { owner: 'me' },
      stageCreate: true,
    })
  })
})
