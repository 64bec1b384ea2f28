import type { TableUpdate, UnboundPartitionField } from '../../../src/core/metadata/table-update.ts'
import type { SortField } from '../../../src/core/partition/partition-spec.ts'
import { parseTransform } from '../../../src/core/partition/transform.ts'
import type { Field } from '../../../src/core/value/type.ts'
import { refusalOf } from '../../refusal.ts'
import { field, refusalFor, SCHEMA, schemaOf, TableModel, tableOf } from './metadata-samples.ts'

const SET_LAST: TableUpdate = { action: 'set-default-spec', specId: -1 }
const SET_LAST_ORDER: TableUpdate = { action: 'set-default-sort-order', sortOrderId: -1 }

function part(
  name: string,
  sourceId: number,
  transform: string,
  fieldId?: number,
): UnboundPartitionField {
  const field = { name, sourceId, transform: parseTransform(transform) }
  return fieldId === undefined ? field : { ...field, fieldId }
}

function addSpec(...fields: UnboundPartitionField[]): TableUpdate {
  return { action: 'add-spec', spec: { fields } }
}

function sort(sourceId: number, transform = 'identity', more: Partial<SortField> = {}): SortField {
  const field = { sourceId, transform: parseTransform(transform) }
  return { ...field, direction: 'asc', nullOrder: 'nulls-first', ...more }
}

function addOrder(...fields: SortField[]): TableUpdate {
  return { action: 'add-sort-order', sortOrder: { fields } }
}

describe('add-spec', () => {
  test('assigns the next spec id and fresh field ids from 1000', () => {
    const { definition } = new TableModel().apply([
      addSpec(part('day', 3, 'day'), part('bucket', 1, 'bucket[16]')),
      SET_LAST,
    ]).state
    expect(definition).toMatchObject({ defaultSpecId: 1, lastPartitionId: 1001 })
    expect(definition.partitionSpecs[1]?.fields.map((f) => f.fieldId)).toEqual([1000, 1001])
  })

  test('gives a field without id the id of its like, whatever its name', () => {
    const model = new TableModel().apply([
      addSpec(part('day', 3, 'day'), part('id', 1, 'identity')),
    ])
    const { definition } = model.apply([
      addSpec(part('b', 1, 'bucket[4]'), part('id_again', 1, 'identity')),
    ]).state
    expect(definition.partitionSpecs[2]?.fields.map((f) => f.fieldId)).toEqual([1002, 1001])
    expect(definition.lastPartitionId).toBe(1002)
  })

  test('keeps the field ids that are given', () => {
    const { definition } = new TableModel().apply([
      addSpec(part('day', 3, 'day', 1007), part('id', 1, 'identity')),
    ]).state
    expect(definition.partitionSpecs[1]?.fields.map((f) => f.fieldId)).toEqual([1007, 1008])
    expect(definition.lastPartitionId).toBe(1008)
  })

  test('reuses a spec with the same sources, transforms and names as the last added', () => {
    const model = new TableModel().apply([addSpec(part('day', 3, 'day')), SET_LAST])
    expect(model.apply([addSpec(), SET_LAST]).state.definition.defaultSpecId).toBe(0)
    const { definition } = model.apply([addSpec(part('day', 3, 'day')), SET_LAST]).state
    expect(definition.partitionSpecs).toHaveLength(2)
    expect(definition.defaultSpecId).toBe(1)
    expect(
      model.apply([addSpec(part('d', 3, 'day'))]).state.definition.partitionSpecs,
    ).toHaveLength(3)
  })

  test.each<[string, UnboundPartitionField[], string]>([
    [
      'no such column',
      [part('x', 9, 'identity')],
      'Cannot find source column for partition field: x',
    ],
    [
      'a transform of another type',
      [part('x', 2, 'day')],
      'Invalid source type string for transform: day',
    ],
    ['a transform that nobody knows', [part('x', 2, 'zorder')], 'for transform: zorder'],
    ['one name twice', [part('x', 1, 'identity'), part('x', 2, 'identity')], 'more than once: x'],
    ['no name', [part('', 1, 'identity')], 'empty partition name'],
    ["another column's name", [part('name', 1, 'identity')], 'name that exists in schema: name'],
    [
      'one id twice',
      [part('x', 1, 'identity', 1000), part('y', 2, 'identity', 1000)],
      'more than once: 1000',
    ],
    ['an id below 1000', [part('x', 1, 'identity', 999)], 'Invalid partition field id: 999'],
  ])('with %s is refused', (_what, fields, message) => {
    expect(refusalFor([addSpec(...fields)])).toMatch(message)
  })

  test('gives two fields that mean the same different ids', () => {
    const { definition } = new TableModel().apply([
      addSpec(part('a', 1, 'identity')),
      addSpec(part('b', 1, 'identity'), part('c', 1, 'identity')),
    ]).state
    expect(definition.partitionSpecs[2]?.fields.map((f) => f.fieldId)).toEqual([1000, 1001])
  })

  test('takes a member of a struct for its source, but nothing else that is nested', () => {
    const point: Field = {
      id: 4,
      name: 'place',
      required: false,
      type: { kind: 'struct', fields: [field(5, 'x')] },
    }
    const list: Field = {
      id: 6,
      name: 'list',
      required: false,
      type: { kind: 'list', elementId: 7, elementRequired: true, element: { kind: 'long' } },
    }
    const model = new TableModel().apply([
      { action: 'add-schema', schema: schemaOf(...SCHEMA.fields, point, list) },
      { action: 'set-current-schema', schemaId: -1 },
      addSpec(part('place.x', 5, 'identity')),
    ])
    const refused = (sourceId: number) =>
      refusalOf(() => model.apply([addSpec(part('p', sourceId, 'identity'))])).message
    expect(refused(4)).toMatch('Cannot partition by non-primitive source field: struct<x: long>')
    expect(refused(7)).toMatch('Invalid partition field parent: element is in a list or map')
    expect(refusalOf(() => model.apply([addOrder(sort(4))])).message).toMatch(
      'Cannot sort by non-primitive source field',
    )
  })

  test('has at most 1,000 fields', () => {
    const many = Array.from({ length: 1_001 }, (_, i) => part(`p${i}`, 1, 'identity'))
    expect(refusalFor([addSpec(...many)])).toMatch('More than 1000 partition fields')
    const orders = Array.from({ length: 1_001 }, () => sort(1))
    expect(refusalFor([addOrder(...orders)])).toMatch('More than 1000 sort fields')
  })

  test('forgets the ids of specs that are removed', () => {
    const model = new TableModel().apply([
      addSpec(part('a', 1, 'identity')),
      addSpec(part('b', 1, 'identity', 1005)),
      { action: 'remove-partition-specs', specIds: [1] },
      addSpec(part('c', 1, 'identity')),
      addSpec(part('d', 2, 'identity', 1000)),
    ])
    const ids = model.state.definition.partitionSpecs.map((s) => s.fields.map((f) => f.fieldId))
    expect(ids).toEqual([[], [1005], [1005], [1000]])
  })

  test("with another field's id is refused", () => {
    const first = addSpec(part('day', 3, 'day'))
    expect(refusalFor([first, addSpec(part('x', 1, 'identity', 1000))])).toMatch(
      'Cannot use partition field id 1000 for x: it belongs to day',
    )
  })

  test('in version 1 needs ids in sequence, and voids a field to drop it', () => {
    const model = new TableModel(tableOf(1)).apply([
      addSpec(part('day', 3, 'day'), part('id', 1, 'identity')),
      SET_LAST,
    ])
    const voided = addSpec(part('day', 3, 'void', 1000), part('id', 1, 'identity', 1001))
    expect(model.apply([voided, SET_LAST]).state.definition.defaultSpecId).toBe(2)
    const revived = addSpec(part('day', 3, 'day', 1000))
    expect(model.apply([revived]).state.definition.partitionSpecs).toHaveLength(4)
    expect(refusalFor([addSpec(part('day', 3, 'day', 1001))], 1)).toMatch(
      'Spec does not use sequential IDs that are required in v1: 1001',
    )
    expect(refusalOf(() => model.apply([addSpec(part('n', 2, 'identity'))])).message).toMatch(
      'Cannot use partition field id 1000 for n: it belongs to day',
    )
  })
})

describe('partition specs', () => {
  test('are the default only when they are there', () => {
    expect(refusalFor([SET_LAST])).toMatch('no spec has been added')
    expect(refusalFor([{ action: 'set-default-spec', specId: 4 }])).toMatch('unknown spec: 4')
  })

  test('are removed unless they are the default', () => {
    const remove = (...specIds: number[]): TableUpdate => ({
      action: 'remove-partition-specs',
      specIds,
    })
    expect(refusalFor([remove(0)])).toMatch('Cannot remove the default partition spec')
    const model = new TableModel().apply([addSpec(part('day', 3, 'day')), SET_LAST])
    const { definition } = model.apply([remove(0, 12)]).state
    expect(definition.partitionSpecs.map((s) => s.specId)).toEqual([1])
    expect(definition.lastPartitionId).toBe(1000)
    expect(refusalOf(() => model.apply([addSpec(), remove(2), SET_LAST])).message).toMatch(
      'no spec has been added',
    )
  })
})

describe('sort orders', () => {
  test('get the next id from 1, and unsorted is 0', () => {
    const model = new TableModel().apply([addOrder(sort(1), sort(3, 'day')), SET_LAST_ORDER])
    expect(model.state.definition.defaultSortOrderId).toBe(1)
    expect(model.apply([addOrder(), SET_LAST_ORDER]).state.definition.defaultSortOrderId).toBe(0)
    expect(model.state.definition.sortOrders.map((o) => o.orderId)).toEqual([0, 1])
  })

  test('are reused when they say the same', () => {
    const model = new TableModel().apply([
      addOrder(sort(1)),
      addOrder(sort(1, 'identity', { direction: 'desc' })),
    ])
    expect(model.apply([addOrder(sort(1)), SET_LAST_ORDER]).state.definition).toMatchObject({
      defaultSortOrderId: 1,
      sortOrders: { length: 3 },
    })
  })

  test.each<[string, readonly TableUpdate[], string]>([
    [
      'a column that is not there',
      [addOrder(sort(8))],
      'Cannot find source column for sort field: 8',
    ],
    ['a transform of another type', [addOrder(sort(2, 'hour'))], 'Invalid source type string'],
    [
      'an unknown default',
      [{ action: 'set-default-sort-order', sortOrderId: 3 }],
      'unknown sort order: 3',
    ],
    ['no order added', [SET_LAST_ORDER], 'no sort order has been added'],
  ])('with %s are refused', (_what, updates, message) => {
    expect(refusalFor(updates)).toMatch(message)
  })
})
