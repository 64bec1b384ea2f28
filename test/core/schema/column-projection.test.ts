import {
  absentValue,
  NO_CONSTANTS,
  projectColumns,
} from '../../../src/core/schema/column-projection.ts'
import { type ColumnNames, OWN_NAMES } from '../../../src/core/schema/name-mapping.ts'
import type { Field, Type } from '../../../src/core/value/type.ts'

function field(id: number, name: string, type: Type = { kind: 'long' }): Field {
  return { id, name, required: false, type }
}

const FIELDS = [field(1, 'id'), field(2, 'day'), field(3, 'town')]
const MAPPING: ColumnNames = {
  mapping: [
    { fieldId: 1, names: ['key', 'id'] },
    { fieldId: 3, names: ['city'] },
  ],
  isGuessed: false,
}

function found(
  columns: readonly (string | { name: string; fieldId?: number })[],
  names = OWN_NAMES,
  constants = NO_CONSTANTS,
) {
  const named = columns.map((column) => (typeof column === 'string' ? { name: column } : column))
  return Object.fromEntries(projectColumns(named, FIELDS, { names, constants }))
}

test('a file with field ids is read by them alone, whatever its names', () => {
  const columns = [{ name: 'town', fieldId: 1 }, { name: 'id', fieldId: 9 }, { name: 'day' }]
  expect(found(columns)).toEqual({ 1: 0 })
  expect(found(columns, OWN_NAMES, new Map([[1, 5]]))).toEqual({ 1: 0 })
})

test('a field that the file knows by another id is found by that, with ids and without', () => {
  const known = { constants: NO_CONSTANTS, idsInFile: new Map([[3, 7]]) }
  const columns = [
    { name: 'town', fieldId: 3 },
    { name: 'x', fieldId: 7 },
    { name: 'id', fieldId: 1 },
  ]
  const byId = projectColumns(columns, FIELDS, { ...known, names: OWN_NAMES })
  expect(Object.fromEntries(byId)).toEqual({ 1: 2, 3: 1 })
  const mapping = [
    { fieldId: 7, names: ['city'] },
    { fieldId: 3, names: ['town'] },
  ]
  const named = [{ name: 'town' }, { name: 'city' }]
  const byName = projectColumns(named, FIELDS, { ...known, names: { mapping, isGuessed: false } })
  expect(Object.fromEntries(byName)).toEqual({ 3: 1 })
})

test('without ids the mapping decides alone: what it leaves out is absent', () => {
  expect(found(['id', 'day', 'town', 'city'], MAPPING)).toEqual({ 1: 0, 3: 3 })
  expect(found(['KEY', 'CITY'], MAPPING)).toEqual({})
})

test('where the table has no mapping, its own names count, exactly or but for their case', () => {
  expect(found(['TOWN', 'Id', 'id', 'other'])).toEqual({ 1: 2, 3: 0 })
})

test('without ids the value of the partition comes before a column of that name', () => {
  expect(found(['id', 'day'], OWN_NAMES, new Map([[2, null]]))).toEqual({ 1: 0 })
  expect(found(['key', 'city'], MAPPING, new Map([[3, 'x']]))).toEqual({ 1: 0 })
})

test('an absent column has its partition value, else its initial default, else null', () => {
  const withDefault = { ...field(1, 'n'), initialDefault: 7 }
  expect(absentValue(withDefault, new Map([[1, 5n]]))).toBe(5n)
  expect(absentValue(withDefault, new Map([[1, null]]))).toBeNull()
  expect(absentValue(withDefault, new Map([[2, 5n]]))).toBe(7n)
  expect(absentValue(field(1, 'n'), NO_CONSTANTS)).toBeNull()
})

test('a partition value written before its column was widened is widened', () => {
  expect(absentValue(field(1, 'n'), new Map([[1, 5]]))).toBe(5n)
  const moment = field(1, 'at', { kind: 'timestamp' })
  expect(absentValue(moment, new Map([[1, -1]]))).toBe(-86_400_000_000n)
})
