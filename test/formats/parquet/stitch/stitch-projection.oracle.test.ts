import { readFileSync, writeFileSync } from 'node:fs'
import {
  type ColumnKnowledge,
  NO_CONSTANTS,
} from '../../../../src/core/schema/column-projection.ts'
import { type NameMapping, nameMappingOf } from '../../../../src/core/schema/name-mapping.ts'
import { runSteps } from '../../../../src/core/steps.ts'
import type { Field, Schema, Type } from '../../../../src/core/value/type.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { planStitch, type StitchPart } from '../../../../src/formats/parquet/stitch/stitch.ts'
import { projectFileSchemaSteps } from '../../../../src/formats/parquet/stitch/stitch-projection.ts'
import { physicalSchemaKey } from '../../../../src/formats/parquet/stitch/stitch-schema.ts'
import { findField } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'
import { footerOf, LOGICAL, type SampleNode, sampleFooter } from '../sample-file.ts'
import { assemble, hyparquetRows, partOf } from './stitched-file.ts'

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
})
afterAll(() => duckdb.close())

const LONG: Type = { kind: 'long' }
const STRING: Type = { kind: 'string' }

function schemaOf(fields: readonly Field[]): Schema {
  return { schemaId: 0, fields, identifierFieldIds: [] }
}
function column(id: number, name: string, type: Type): Field {
  return { id, name, required: false, type }
}

/** Files without field ids are found by the mapping, or by the fields' own names. */
function knownBy(mapping: NameMapping): ColumnKnowledge {
  return { names: { mapping, isGuessed: true }, constants: NO_CONSTANTS }
}

function projectionOf(of: Parameters<typeof projectFileSchemaSteps>[0]) {
  return runSteps(projectFileSchemaSteps(of))
}

let count = 0
async function write(query: string, options = ''): Promise<Uint8Array> {
  const path = duckdb.path(`part-${count++}.parquet`)
  await duckdb.connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet ${options})`)
  return new Uint8Array(readFileSync(path))
}
function save(bytes: Uint8Array): string {
  const path = duckdb.path(`stitched-${count++}.parquet`)
  writeFileSync(path, bytes)
  return path
}

async function projected(
  bytes: Uint8Array,
  schema: Schema,
  aliases?: Map<number, readonly string[]>,
): Promise<StitchPart> {
  const footer = await footerOf(bytes)
  const projection = projectionOf({
    footer,
    schema,
    ...knownBy(nameMappingOf(schema, aliases)),
  })
  if (projection.outcome === 'differs')
    throw new Error(`${projection.column}: ${projection.detail}`)
  return { footer, schema: projection.schema }
}

const TABLE = schemaOf([
  column(3, 'city', STRING),
  column(1, 'id', LONG),
  column(7, 'tags', { kind: 'list', elementId: 8, elementRequired: false, element: STRING }),
])

test('renamed, reordered, dropped and id-less columns are stitched as in the table', async () => {
  const parts = [
    await write(
      `SELECT i AS id, 'secret-' || i AS password, 'c' || i AS town, ['t' || i] AS tags
       FROM range(5000) t(i)`,
      ', ROW_GROUP_SIZE 2048',
    ),
    await write(
      `SELECT 'd' || i AS city, i AS ident, ['u', NULL] AS tags FROM range(5000, 5010) t(i)`,
      ', FIELD_IDS {city: 3, ident: 1, tags: {__duckdb_field_id: 7, element: 8}}',
    ),
  ]
  const aliases = new Map([[3, ['town']]])
  const stitchParts = await Promise.all(parts.map((part) => projected(part, TABLE, aliases)))
  const stitched = assemble(planStitch(stitchParts), parts)
  const path = save(stitched)
  expect(await duckdb.rows(`SELECT * FROM '${path}' WHERE id IN (3, 4999, 5001)`)).toEqual([
    ['c3', 3n, ['t3']],
    ['c4999', 4999n, ['t4999']],
    ['d5001', 5001n, ['u', null]],
  ])
  expect(await duckdb.rows(`SELECT id FROM '${path}' WHERE city = 'c77'`)).toEqual([[77n]])
  const rows = await hyparquetRows(stitched)
  expect(rows.length).toBe(5010)
  expect(rows[5000]).toEqual({ city: 'd5000', id: 5000n, tags: ['u', null] })
  const footer = await footerOf(stitched)
  expect(inferSchemaFields(footer)).toEqual(TABLE.fields)
})

test('no byte of a dropped column is copied', async () => {
  const part = await write(
    `SELECT i AS id, 'secret' || i AS password, 'c' || i AS city, [] ::VARCHAR[] AS tags
     FROM range(3000) t(i)`,
    ', COMPRESSION uncompressed, ROW_GROUP_SIZE 2048, DICTIONARY_SIZE_LIMIT 0',
  )
  expect(Buffer.from(part).includes('secret')).toBe(true)
  const stitched = assemble(planStitch([await projected(part, TABLE)]), [part])
  expect(Buffer.from(stitched).includes('secret')).toBe(false)
  expect(
    await duckdb.rows(`SELECT count(DISTINCT city), max(id) FROM '${save(stitched)}'`),
  ).toEqual([[3000n, 2999n]])
})

test('structs and maps lose, rename and exchange members', async () => {
  const part = await write(
    `SELECT {'a': i, 'gone': 'x', 'b': CASE WHEN i % 2 = 0 THEN 'b' || i END} AS pair,
       MAP {'k': {'x': i, 'y': 2 * i}} AS entries FROM range(10) t(i)`,
  )
  const value: Type = { kind: 'struct', fields: [column(8, 'why', LONG), column(7, 'x', LONG)] }
  const map = {
    kind: 'map',
    keyId: 5,
    key: STRING,
    valueId: 6,
    valueRequired: false,
    value,
  } as const
  const pair: Type = { kind: 'struct', fields: [column(3, 'bee', STRING), column(2, 'a', LONG)] }
  const schema = schemaOf([column(1, 'couple', pair), column(4, 'entries', map)])
  const aliases = new Map([
    [1, ['pair']],
    [3, ['b']],
    [8, ['y']],
  ])
  const stitched = assemble(planStitch([await projected(part, schema, aliases)]), [part])
  expect(inferSchemaFields(await footerOf(stitched))).toMatchObject([
    { id: 1, name: 'couple', type: { fields: [{ name: 'bee' }, { name: 'a' }] } },
    { id: 4, name: 'entries', type: { value: { fields: [{ name: 'why' }, { name: 'x' }] } } },
  ])
  const sql = `SELECT couple.bee, couple.a, entries['k'].why, entries['k'].x
    FROM '${save(stitched)}'`
  expect((await duckdb.rows(sql)).slice(3, 5)).toEqual([
    [null, 3n, 6n, 3n],
    ['b4', 4n, 8n, 4n],
  ])
})

test('metadata about columns is kept when a file’s columns stay, else dropped', async () => {
  const query = `SELECT i AS id, 'c' AS city FROM range(3) t(i)`
  const part = await write(query, `, KV_METADATA {pandas: 'about columns'}`)
  const id = column(1, 'id', LONG)
  const city = column(2, 'city', STRING)
  const keptBy = async (fields: readonly Field[], aliases?: Map<number, readonly string[]>) => {
    const plan = planStitch([await projected(part, schemaOf(fields), aliases)])
    const { thrift, keyValueMetadata } = await footerOf(assemble(plan, [part]))
    expect(findField(thrift, 5) === undefined).toBe(keyValueMetadata.size === 0)
    return [...keyValueMetadata.keys()]
  }
  expect(await keptBy([id, city])).toEqual(['pandas'])
  expect(await keptBy([city, id])).toEqual([])
  expect(await keptBy([id])).toEqual([])
  const town = { ...city, name: 'town' }
  expect(await keptBy([id, town], new Map([[2, ['city']]]))).toEqual([])
})

describe('a file has to be rewritten', () => {
  const int: SampleNode = { name: 'id', physical: 'INT32' }
  const differs = async (columns: readonly SampleNode[], fields: readonly Field[]) => {
    const schema = schemaOf(fields)
    const footer = await sampleFooter({ columns })
    const projection = projectionOf({ footer, schema, ...knownBy(nameMappingOf(schema)) })
    return projection.outcome === 'differs' ? `${projection.column} ${projection.detail}` : 'fits'
  }
  const list: Type = { kind: 'list', elementId: 2, elementRequired: true, element: STRING }
  const text = { physical: 'BYTE_ARRAY', logical: LOGICAL.string } as const

  test.each<[string, readonly SampleNode[], readonly Field[], RegExp]>([
    [
      'for an added column',
      [int],
      [column(1, 'id', { kind: 'int' }), column(2, 'b', LONG)],
      /^b is not in/,
    ],
    [
      'for a widened type',
      [int],
      [column(1, 'id', LONG)],
      /^id has type int, but long in the table/,
    ],
    [
      'for a group in place of a value',
      [{ name: 'id', children: [int] }],
      [column(1, 'id', LONG)],
      /long/,
    ],
    ['for a value in place of a list', [int], [column(1, 'id', list)], /has type int, but list/],
    [
      'for a list of two levels',
      [
        {
          name: 'id',
          logical: LOGICAL.list,
          children: [{ name: 'array', repetition: 'repeated', ...text }],
        },
      ],
      [column(1, 'id', list)],
      /older layout/,
    ],
    [
      'for an element with another id',
      [
        {
          name: 'id',
          fieldId: 1,
          logical: LOGICAL.list,
          children: [
            {
              name: 'list',
              repetition: 'repeated',
              children: [{ name: 'element', fieldId: 9, ...text }],
            },
          ],
        },
      ],
      [column(1, 'id', list)],
      /field id 2/,
    ],
    [
      'for ids on some columns only',
      [
        { ...int, fieldId: 1 },
        { ...int, name: 'b' },
      ],
      [column(1, 'id', { kind: 'int' })],
      /no field id/,
    ],
    ['for one column twice', [int, int], [column(1, 'id', { kind: 'int' })], /twice/],
    [
      'for a name that no mapping has',
      [{ ...int, name: 'ID' }],
      [column(1, 'id', { kind: 'int' })],
      /name mapping/,
    ],
  ])('%s', async (_, columns, fields, message) => {
    expect(await differs(columns, fields)).toMatch(message)
  })

  test('for timestamps of another unit; nanoseconds fit both kinds of columns', async () => {
    for (const kind of ['timestamp', 'timestamptz'] as const) {
      const inFile = (unit: 'micros' | 'nanos'): SampleNode => ({
        ...{ name: 'at', physical: 'INT64' },
        logical: LOGICAL.timestamp(unit, kind === 'timestamptz'),
      })
      const fine = [column(1, 'at', { kind: `${kind}_ns` })]
      expect(await differs([inFile('nanos')], fine)).toBe('fits')
      expect(await differs([inFile('nanos')], [column(1, 'at', { kind })])).toBe('fits')
      expect(await differs([inFile('micros')], fine)).toMatch(/has type timestamp/)
    }
  })
})

test('names of the groups inside of lists and maps do not keep files apart', async () => {
  const list: Type = { kind: 'list', elementId: 2, elementRequired: false, element: STRING }
  const schema = schemaOf([column(1, 'tags', list)])
  const nameMapping = nameMappingOf(schema)
  const keys: string[] = []
  for (const [group, element] of [
    ['list', 'element'],
    ['bag', 'array_element'],
  ] as const) {
    const child = { name: element, physical: 'BYTE_ARRAY', logical: LOGICAL.string } as const
    const repeated = { name: group, repetition: 'repeated', children: [child] } as const
    const columns = [{ name: 'tags', logical: LOGICAL.list, children: [repeated] }]
    const footer = await sampleFooter({ columns })
    const projection = projectionOf({ footer, schema, ...knownBy(nameMapping) })
    if (projection.outcome === 'projected') keys.push(physicalSchemaKey(projection.schema))
  }
  expect(keys.length).toBe(2)
  expect(keys[0]).toBe(keys[1])
})

test('a projected file and one that is so already have one key', async () => {
  const part = await write(`SELECT ['t'] AS tags, 'c' AS town, 1::BIGINT AS id`)
  const first = await projected(part, TABLE, new Map([[3, ['town']]]))
  const again = await partOf(assemble(planStitch([first]), [part]))
  const second = await projected(
    assemble(planStitch([again]), [assemble(planStitch([first]), [part])]),
    TABLE,
  )
  if (first.schema === undefined || second.schema === undefined) throw new Error('no schema')
  expect(physicalSchemaKey(second.schema)).toBe(physicalSchemaKey(first.schema))
})
