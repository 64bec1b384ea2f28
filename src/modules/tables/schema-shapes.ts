import { z } from 'zod'
import { boundedArray, boundedRecord } from '../../http/bounded-shapes.ts'

/** Largest number of columns or changes in a list; a table has fewer columns still. */
export const COLUMNS_LISTED_MAX = 10_000
const ALIASES_MAX = 1_000
/** An object of Iceberg's JSON for a type has at most six. */
const TYPE_MEMBERS_MAX = 100

const ColumnName = z.string().meta({ example: 'flight_id' })
const NestedType = boundedRecord({ key: z.string(), value: z.unknown() }, TYPE_MEMBERS_MAX)
const ColumnType = z.union([z.string(), NestedType]).meta({
  description:
    'An Iceberg type (`long`, `decimal(9,2)`, `timestamptz`, ...), an Opteryx name (`INTEGER`, ' +
    '`VARCHAR`, `ARRAY<VARCHAR>`, ...), or Iceberg JSON of a list, map or struct.',
  example: 'long',
})
const FieldId = z.int().min(0)
const Aliases = boundedArray(z.string(), { max: ALIASES_MAX }).meta({
  description: 'Other names of the column in files without field ids.',
  example: [],
})
const Default = z
  .unknown()
  .meta({ description: 'Iceberg’s JSON single-value form; null for none.', example: null })
const Text = z.string().max(10_000)

export const EXAMPLE_COLUMN = {
  id: 1,
  name: 'flight_id',
  type: 'long',
  nullable: false,
  default: null,
  description: null,
  aliases: [],
}

export const ColumnInput = z
  .strictObject({
    id: FieldId.optional().meta({
      description: 'Field id: identifies an existing column when all columns are given.',
    }),
    name: ColumnName,
    type: ColumnType,
    nullable: z.boolean().optional().meta({ description: 'True by default.' }),
    default: Default.optional(),
    description: Text.nullish(),
    aliases: Aliases.optional(),
  })
  .meta({ id: 'ColumnDefinition', example: { name: 'flight_id', type: 'long', nullable: false } })

export const Column = z
  .strictObject({
    id: FieldId.meta({ description: 'Iceberg field id; never changes.' }),
    name: ColumnName,
    type: ColumnType,
    nullable: z.boolean(),
    default: Default,
    description: z.string().nullable(),
    aliases: z.array(z.string()),
  })
  .meta({ id: 'Column', example: EXAMPLE_COLUMN })

const reference = {
  name: z.string().optional().meta({ description: 'Dotted for nested fields. Give this or `id`.' }),
  id: FieldId.optional(),
}
const placement = {
  first: z.literal(true).optional(),
  after: z.string().optional(),
  before: z.string().optional(),
}

const SchemaChange = z
  .discriminatedUnion('op', [
    z.strictObject({
      op: z.literal('add'),
      column: ColumnInput,
      parent: z.strictObject(reference).optional(),
      ...placement,
    }),
    z.strictObject({ op: z.literal('drop'), ...reference }),
    z.strictObject({ op: z.literal('rename'), ...reference, to: z.string() }),
    z.strictObject({ op: z.literal('move'), ...reference, ...placement }),
    z.strictObject({ op: z.enum(['widen', 'type']), ...reference, type: ColumnType }),
    z.strictObject({ op: z.literal('describe'), ...reference, description: Text.nullable() }),
    z.strictObject({ op: z.literal('nullable'), ...reference, nullable: z.boolean() }),
    z.strictObject({ op: z.literal('default'), ...reference, default: Default }),
    z.strictObject({ op: z.literal('aliases'), ...reference, aliases: Aliases }),
  ])
  .meta({ id: 'SchemaChange', example: { op: 'rename', name: 'flight_id', to: 'id' } })

export const EvolveSchemaRequest = z
  .strictObject({
    columns: boundedArray(ColumnInput, { max: COLUMNS_LISTED_MAX }).optional().meta({
      description: 'All columns of the new schema, in order. Give this or `changes`.',
    }),
    changes: boundedArray(SchemaChange, { max: COLUMNS_LISTED_MAX }).optional().meta({
      description: 'Applied in order, all or none.',
    }),
  })
  .meta({
    id: 'EvolveSchemaRequest',
    example: {
      changes: [
        { op: 'add', column: { name: 'gate', type: 'string' }, after: 'flight_id' },
        { op: 'rename', name: 'departed_at', to: 'left_at' },
      ],
    },
  })

export const SchemasAnswer = z
  .strictObject({
    current_schema_id: z.int(),
    schemas: z.array(z.strictObject({ schema_id: z.int(), columns: z.array(Column) })),
  })
  .meta({
    id: 'Schemas',
    example: { current_schema_id: 0, schemas: [{ schema_id: 0, columns: [EXAMPLE_COLUMN] }] },
  })
