import fc from 'fast-check'
import { CatalogError } from '../../../src/core/errors.ts'
import {
  type ColumnDefinition,
  describeColumns,
  parseColumns,
} from '../../../src/core/schema/column-definition.ts'
import {
  type EvolvedSchema,
  evolveSchema,
  reconcileSchema,
  type SchemaChange,
} from '../../../src/core/schema/schema-evolution.ts'
import { allFields, foldName } from '../../../src/core/schema/schema-lookup.ts'
import { classifyTypeChange } from '../../../src/core/schema/type-change.ts'
import type { Field, Type } from '../../../src/core/value/type.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'A']
const names = fc.constantFrom(...NAMES)
const primitives = fc.constantFrom('int', 'long', 'float', 'double', 'decimal(4,2)', 'decimal(9,2)')
const members = fc.uniqueArray(fc.record({ name: names, type: primitives }), {
  minLength: 1,
  maxLength: 3,
  selector: (member) => foldName(member.name),
})
const types: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: primitives },
  primitives.map((type) => `list<${type}>`),
  members.map((fields) => ({ type: 'struct', fields })),
)
const columns = fc.record({
  name: names,
  type: types,
  description: fc.constantFrom(null, 'x', 'y'),
})
const schemas = fc
  .uniqueArray(columns, { minLength: 1, maxLength: 5, selector: (c) => foldName(c.name) })
  .map((list): EvolvedSchema => {
    const { fields, aliasesById, lastColumnId } = parseColumns(list)
    const schema = { schemaId: 0, fields, identifierFieldIds: [] }
    return { schema, aliasesById, lastColumnId, rewrites: new Map() }
  })

const paths = fc.oneof(
  names,
  fc.tuple(names, fc.oneof(names, fc.constant('element'))).map((parts) => parts.join('.')),
)
const changes: fc.Arbitrary<SchemaChange> = fc.oneof(
  fc.record({ op: fc.constant('add' as const), column: columns }),
  fc.record({ op: fc.constant('add' as const), column: columns, after: names }),
  fc.record({
    op: fc.constant('add' as const),
    column: columns,
    parent: fc.record({ name: names }),
  }),
  fc.record({ op: fc.constant('drop' as const), name: paths }),
  fc.record({ op: fc.constant('rename' as const), name: paths, to: names }),
  fc.record({ op: fc.constant('move' as const), name: paths, after: names }),
  fc.record({ op: fc.constant('widen' as const), name: paths, type: primitives }),
)

function evolve(from: EvolvedSchema, list: readonly SchemaChange[]): EvolvedSchema {
  return evolveSchema({ ...from, changes: list, sourceIds: [] })
}

/** What was refused changes nothing; anything but a refusal is a defect. */
function evolveIfAllowed(from: EvolvedSchema, change: SchemaChange): EvolvedSchema {
  try {
    return evolve(from, [change])
  } catch (error) {
    if (error instanceof CatalogError && error.code !== 'schema-invalid') return from
    throw error
  }
}

function isReadableAs(before: Type, after: Type): boolean {
  if (before.kind === after.kind && before.kind !== 'decimal') return true
  return ['same', 'metadata'].includes(classifyTypeChange(before, after))
}

function expectStep(last: EvolvedSchema, next: EvolvedSchema, everSeen: Map<number, Field>): void {
  const before = new Set(allFields(last.schema).map((field) => field.id))
  for (const field of allFields(next.schema)) {
    if (!before.has(field.id)) expect(field.id).toBeGreaterThan(last.lastColumnId)
    expect(field.id).toBeLessThanOrEqual(next.lastColumnId)
    const known = everSeen.get(field.id)
    if (known !== undefined) expect(isReadableAs(known.type, field.type)).toBe(true)
    everSeen.set(field.id, field)
  }
}

describe('the evolution of a schema', () => {
  test('a field id means one field for ever: types only widen, new fields get new ids', () => {
    fc.assert(
      fc.property(schemas, fc.array(changes, { maxLength: 12 }), (first, list) => {
        const everSeen = new Map<number, Field>(allFields(first.schema).map((f) => [f.id, f]))
        list.reduce((last, change) => {
          const next = evolveIfAllowed(last, change)
          expectStep(last, next, everSeen)
          return next
        }, first)
      }),
      { numRuns: 300 },
    )
  })

  test('ids and names stay unique, and no alias stands for two columns', () => {
    fc.assert(
      fc.property(schemas, fc.array(changes, { maxLength: 12 }), (first, list) => {
        const last = list.reduce(evolveIfAllowed, first)
        const ids = allFields(last.schema).map((field) => field.id)
        expect(new Set(ids).size).toBe(ids.length)
        const spoken = last.schema.fields.flatMap(({ id, name }) => {
          const aliases = (last.aliasesById.get(id) ?? []).map(foldName)
          return [...new Set([foldName(name), ...aliases])]
        })
        expect(new Set(spoken).size).toBe(spoken.length)
        for (const id of last.aliasesById.keys()) expect(ids).toContain(id)
      }),
      { numRuns: 300 },
    )
  })

  test('changes one by one come to the same as all at once', () => {
    fc.assert(
      fc.property(schemas, fc.array(changes, { maxLength: 8 }), (first, list) => {
        const allowed: SchemaChange[] = []
        let stepwise = first
        for (const change of list) {
          const next = evolveIfAllowed(stepwise, change)
          if (next !== stepwise) allowed.push(change)
          stepwise = next
        }
        expect(evolve(first, allowed).schema).toEqual(stepwise.schema)
      }),
      { numRuns: 200 },
    )
  })
})

/** Some columns of a schema in any order, renamed or not, and new ones between them. */
function desiredColumns({ schema }: EvolvedSchema): fc.Arbitrary<readonly ColumnDefinition[]> {
  const kept = fc.shuffledSubarray(describeColumns(schema).map((column) => ({ ...column })))
  const renames = fc.array(fc.option(names), { minLength: 5, maxLength: 5 })
  return fc
    .tuple(kept, renames, fc.array(columns, { maxLength: 3 }), fc.nat())
    .map(([list, to, added, seed]): ColumnDefinition[] => {
      const renamed = list.map((column, i) => ({ ...column, name: to[i] ?? column.name }))
      return [...renamed.slice(seed % 3), ...added, ...renamed.slice(0, seed % 3)]
    })
    .filter((list) => {
      const folded = list.map((column) => foldName(column.name))
      return list.length > 0 && new Set(folded).size === folded.length
    })
}

/** Columns as users see them, without what the service assigns. */
function seen(list: readonly ColumnDefinition[]): unknown {
  const { fields } = parseColumns(list.map((column) => ({ ...column, aliases: [] })))
  return describeColumns({ fields }).map((column) => ({ ...column, id: 0 }))
}

test('reconciling reaches the columns that were asked for, and columns given by id keep it', () => {
  const cases = schemas.chain((from) => desiredColumns(from).map((list) => ({ from, list })))
  fc.assert(
    fc.property(cases, ({ from, list }) => {
      // A new column must not be taken for one that has its name.
      const kept = new Set(list.map((column) => column.id))
      const isFree = (name: string) => {
        return from.schema.fields.every(
          (f) => kept.has(f.id) || foldName(f.name) !== foldName(name),
        )
      }
      fc.pre(list.every((column) => column.id !== undefined || isFree(column.name)))
      const steps = reconcileSchema({ ...from, columns: list })
      const reached = evolve(from, steps)
      const described = describeColumns(reached.schema, reached.aliasesById)
      expect(seen(described)).toEqual(seen(list))
      for (const [i, column] of list.entries()) {
        if (column.id === undefined) expect(described[i]?.id).toBeGreaterThan(from.lastColumnId)
        else expect(described[i]?.id).toBe(column.id)
      }
      expect(reconcileSchema({ ...reached, columns: described })).toEqual([])
    }),
    { numRuns: 500 },
  )
})
