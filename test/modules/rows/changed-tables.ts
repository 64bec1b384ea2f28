import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { findFieldByName } from '../../../src/core/schema/schema-lookup.ts'
import { fieldIdSql } from '../../../src/engine/worker/sql/type-sql.ts'
import { readTable } from '../../../src/modules/tables/tables.ts'
import { writeDeletionVector } from '../../formats/deletes/deletion-vector-writer.ts'
import { must, post } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { Lake } from '../../lake/lake.ts'
import type { Workshop } from '../../lake/workshop.ts'
import type { MoreSql } from './sql-author.ts'

/** Files have these many rows. */
const FILE_ROWS = 25
const member = (id: number, name: string, type: string) => ({ id, name, type, required: false })

const COLUMNS = [
  { name: 'id', type: 'int' },
  { name: 'label', type: 'string' },
  { name: 'small', type: 'int' },
  { name: 'price', type: 'decimal(7,2)' },
  { name: 'ratio', type: 'float' },
  { name: 'day', type: 'date' },
  { name: 'ok', type: 'boolean' },
  { name: 'gone', type: 'int' },
  {
    name: 'place',
    type: { type: 'struct', fields: [member(90, 'zip', 'int'), member(91, 'town', 'string')] },
  },
  { name: 'tags', type: 'list<string>' },
  { name: 'scores', type: 'map<string, int>' },
  { name: 'region', type: 'string' },
]

/** Between the second and the third file. */
const CHANGES = [
  { op: 'rename', name: 'label', to: 'kind' },
  { op: 'rename', name: 'place.town', to: 'city' },
  { op: 'widen', name: 'id', type: 'long' },
  { op: 'widen', name: 'ratio', type: 'double' },
  { op: 'widen', name: 'price', type: 'decimal(12,2)' },
  { op: 'widen', name: 'place.zip', type: 'long' },
  { op: 'drop', name: 'gone' },
  { op: 'add', column: { name: 'grade', type: 'int', default: 7 } },
  { op: 'add', column: { name: 'note', type: 'string' }, first: true },
  { op: 'move', name: 'day', first: true },
]

/** Columns by the names that they have in the end, of rows `i`. */
const VALUES = {
  id: 'i',
  kind: "CASE WHEN i % 7 <> 0 THEN 'k' || (i % 4) END",
  small: 'CAST(i % 10 - 5 AS INTEGER)',
  price: 'CAST(i * 1.25 AS DECIMAL(7,2))',
  ratio: "CASE WHEN i % 17 = 0 THEN 'NaN'::DOUBLE WHEN i % 13 = 0 THEN -0.0::DOUBLE ELSE i / 4 END",
  day: "DATE '2024-01-01' + CAST(i // 10 AS INTEGER)",
  ok: 'CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END',
  zip: 'CASE WHEN i % 9 > 0 THEN CAST(i % 5 AS BIGINT) END',
  city: "CASE WHEN i % 6 > 0 THEN 't' || (i % 4) END",
  tags:
    'CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN []::VARCHAR[] ' +
    "ELSE ['x' || (i % 3), NULL, 'y'] END",
  scores:
    'CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN MAP {} ' +
    "ELSE MAP {'a': (i % 6)::INTEGER, 'b': NULL} END",
}
const HAS_PLACE = 'i % 11 > 0'

/** A file as it is written, before or after the changes. */
function fileSql(isOld: boolean, first: number, region: string | undefined): string {
  const { zip, city, ...plain } = VALUES
  const named = Object.entries(plain).map(([name, sql]) => [name, sql] as [string, string])
  const town = isOld ? 'town' : 'city'
  const struct = `{'zip': ${isOld ? `CAST(${zip} AS INTEGER)` : zip}, '${town}': ${city}}`
  const old: Record<string, string> = {
    id: 'CAST(i AS INTEGER)',
    ratio: `CAST(${plain.ratio} AS FLOAT)`,
  }
  const columns = named.map(([name, sql]) => {
    const written = isOld && name === 'kind' ? 'label' : name
    return `${(isOld && old[name]) || sql} AS ${written}`
  })
  columns.push(`CASE WHEN ${HAS_PLACE} THEN ${struct} END AS place`)
  if (region !== undefined) columns.push(`'${region}' AS region`)
  if (isOld) columns.push('CAST(i % 3 AS INTEGER) AS gone')
  else columns.push('CAST(i % 4 + 6 AS INTEGER) AS grade', "'n' || (i % 3) AS note")
  // Readers go by name or by id, and not by the order of columns.
  if (!isOld) columns.reverse()
  return `SELECT ${columns.join(', ')} FROM range(${first}, ${first + FILE_ROWS}) t(i)`
}

/** The same rows as the table has them in the end, made without any file. */
function tableSql(isOld: boolean, first: number, region: string): string {
  const { zip, city, ...plain } = VALUES
  const columns = Object.entries({ ...plain, price: `CAST(${plain.price} AS DECIMAL(12,2))` }).map(
    ([name, sql]) => `${sql} AS ${name}`,
  )
  return (
    `SELECT ${columns.join(', ')}, ` +
    `CASE WHEN ${HAS_PLACE} THEN {'zip': ${zip}, 'city': ${city}} END AS place, ` +
    `'${region}' AS region, ${isOld ? '7' : 'CAST(i % 4 + 6 AS INTEGER)'} AS grade, ` +
    `${isOld ? 'NULL::VARCHAR' : "'n' || (i % 3)"} AS note ` +
    `FROM range(${first}, ${first + FILE_ROWS}) t(i)`
  )
}

/** Positions in a file of what is deleted, by position and by a deletion vector. */
const DELETED = [0, 3, 4, 17, 24]
const POSITION = `i % ${FILE_ROWS} IN (${DELETED})`
/** What is deleted by equality of a member of a struct. */
const TOWN = 't1'
const EQUAL = `(${HAS_PLACE} AND (${VALUES.city}) IS NOT DISTINCT FROM '${TOWN}')`

interface FilePlan {
  readonly isOld: boolean
  readonly hasIds: boolean
  readonly region: string
  /** Condition on `i` of rows that are deleted in the end. */
  readonly deleted: string
}

/** Rows 0 to 24 are in the first, and so on. */
const FILES: readonly FilePlan[] = [
  { isOld: true, hasIds: false, region: 'north', deleted: `${POSITION} OR ${EQUAL}` },
  { isOld: true, hasIds: true, region: 'north', deleted: EQUAL },
  { isOld: false, hasIds: true, region: 'south', deleted: POSITION },
  { isOld: false, hasIds: false, region: 'south', deleted: 'false' },
]

/**
 * The tables `asked` and `others`, to which all has happened that happens to tables: columns added,
 * renamed, dropped, moved and widened, members of structs too, files with field ids and without,
 * rows deleted by position, by vector and by equality. The first is partitioned by a column that
 * its files lack. Returns the same rows in plain tables of DuckDB, which have never been files.
 */
export async function openChangedTables(service: TestService): Promise<Lake> {
  const lake = await Lake.open()
  for (const name of ['asked', 'others']) {
    await new ChangedTable(service, lake, { name, isPartitioned: name === 'asked' }).make()
    const rows = FILES.map(
      ({ isOld, region, deleted }, i) =>
        `${tableSql(isOld, i * FILE_ROWS, region)} WHERE NOT (${deleted})`,
    )
    await lake.query(`CREATE TABLE ${name} AS ${rows.join(' UNION ALL ')}`)
  }
  return lake
}

class ChangedTable {
  readonly #service: TestService
  readonly #lake: Lake
  readonly #name: string
  readonly #isPartitioned: boolean

  constructor(
    service: TestService,
    lake: Lake,
    { name, isPartitioned }: { readonly name: string; readonly isPartitioned: boolean },
  ) {
    this.#service = service
    this.#lake = lake
    this.#name = name
    this.#isPartitioned = isPartitioned
  }

  async make(): Promise<void> {
    const partitioning = [{ column: 'region', transform: 'identity' }]
    const created = {
      ...{ name: this.#name, schema: { columns: COLUMNS } },
      ...(this.#isPartitioned && { partitioning }),
    }
    await must(post(this.#service, '/v1/tables', created), 201)
    const first = await this.#append(0)
    await this.#append(1)
    await this.#deletePositions(first)
    await this.#deleteEqual()
    await must(post(this.#service, `/v1/tables/${this.#name}/schemas`, { changes: CHANGES }))
    const third = await this.#append(2)
    await this.#deleteVector(third)
    await this.#append(3)
  }

  #path(name: string): string {
    return join(this.#service.dataFolder, this.#name, name)
  }

  async #append(index: number): Promise<string> {
    const { isOld, hasIds, region } = FILES[index] as FilePlan
    const folder = this.#isPartitioned ? `region=${region}/` : ''
    const sql = fileSql(isOld, index * FILE_ROWS, this.#isPartitioned ? undefined : region)
    const options = hasIds ? `, FIELD_IDS {${await this.#ids(isOld)}}` : ''
    const path = await this.#lake.write(this.#path(`${folder}${index}.parquet`), sql, options)
    const files = { files: [{ path }] }
    await must(post(this.#service, `/v1/tables/${this.#name}/files`, files))
    return path
  }

  async #ids(isOld: boolean): Promise<string> {
    const { schema } = await readTable(this.#service.deps, { table: this.#name })
    const written = schema.fields.filter(
      ({ name }) => !(this.#isPartitioned && name === 'region') && (isOld || name !== 'gone'),
    )
    return written.map(({ name, id, type }) => `${name}: ${fieldIdSql(id, type)}`).join(', ')
  }

  async #delete(file: Partial<DataFile> & { readonly path: string }, region: string) {
    const { size } = await stat(file.path)
    const partition = this.#isPartitioned ? [region] : []
    await commitDeletes({ deps: this.#service.deps } as unknown as Workshop, this.#name, [
      {
        ...{ content: 'position-deletes', format: 'parquet', specId: 0, partition },
        ...{ recordCount: DELETED.length, fileSizeBytes: size, ...file },
        path: `file://${file.path}`,
      },
    ])
  }

  async #deletePositions(of: string): Promise<void> {
    const sql = `SELECT 'file://${of}' AS file_path, unnest([${DELETED}])::BIGINT AS pos`
    await this.#delete(
      { path: await this.#lake.write(this.#path('positions.parquet'), sql) },
      'north',
    )
  }

  async #deleteEqual(): Promise<void> {
    const { schema } = await readTable(this.#service.deps, { table: this.#name })
    const [place, town] = ['place', 'place.town'].map((name) => findFieldByName(schema, name)?.id)
    const ids = `, FIELD_IDS {place: {__duckdb_field_id: ${place}, town: ${town}}}`
    const sql = `SELECT {'town': '${TOWN}'} AS place`
    const path = await this.#lake.write(this.#path('equal.parquet'), sql, ids)
    const equal = { content: 'equality-deletes', equalityIds: [Number(town)] } as const
    await this.#delete({ ...equal, path, recordCount: 1 }, 'north')
  }

  async #deleteVector(of: string): Promise<void> {
    const containers = [{ high: 0, lows: DELETED }]
    const blob = writeDeletionVector([{ key: 0, containers, withRuns: false }])
    const path = this.#path('vector.puffin')
    await writeFile(path, Buffer.concat([Buffer.from('PFA1'), blob]))
    const place = { contentOffset: 4, contentSizeBytes: blob.length }
    const vector = { format: 'puffin', referencedDataFile: `file://${of}`, ...place } as const
    await this.#delete({ ...vector, path }, 'south')
  }
}

/** What a text may say of these beside what it may of plain tables. */
export const CHANGED_SQL: MoreSql = {
  conditions: (a, dice) => [
    `${a}.place.zip > ${dice.roll(4)}`,
    `${a}.place.city = 't${dice.roll(4)}'`,
    `${a}.place IS ${dice.pick(['NULL', 'NOT NULL'])}`,
    `struct_extract(${a}.place, 'zip') IN (1, ${dice.roll(5)})`,
    `list_contains(${a}.tags, 'x${dice.roll(3)}')`,
    `len(${a}.tags) > ${dice.roll(3)}`,
    `${a}.tags IS NULL`,
    `${a}.tags[1] = 'x${dice.roll(3)}'`,
    `${a}.scores['a'] >= ${dice.roll(6)}`,
    `map_contains(${a}.scores, 'b')`,
    `${a}.region = '${dice.pick(['north', 'south', 'east'])}'`,
    `${a}.grade ${dice.pick(['<', '=', '>'])} 7`,
    `${a}.note IS ${dice.pick(['NULL', 'NOT NULL'])}`,
    `EXISTS (SELECT 1 FROM others o WHERE o.place.city = ${a}.place.city AND o.grade > 8)`,
  ],
  values: (a) => [
    ...[`${a}.place`, `${a}.place.zip`, `${a}.place.city`, `${a}.tags`, `${a}.scores`],
    ...[`${a}.region`, `${a}.grade`, `${a}.note`, `${a}.ratio`, `${a}.tags[2]`, `${a}.tags[1:2]`],
    ...[`list_sort(list_distinct(${a}.tags))`, `array_to_string(${a}.tags, '/')`],
    ...[`cardinality(${a}.scores)`, `map_keys(${a}.scores)`, `map_values(${a}.scores)`],
    ...[`map_extract(${a}.scores, 'a')`, `${a}.scores['a']`, `struct_pack(x := ${a}.place)`],
    ...[`[${a}.grade, ${a}.small]`, `coalesce(${a}.note, ${a}.region, ${a}.place.city)`],
    ...[`list_position(${a}.tags, 'y')`, `row(${a}.region, ${a}.place.zip)`],
  ],
  aggregates: (a) => [
    ...[`count(${a}.place)`, `count(DISTINCT ${a}.place.city)`, `max(${a}.place.zip)`],
    ...[`sum(${a}.grade)`, `list(${a}.place.zip ORDER BY ${a}.id, ${a}.small)`],
    ...[`string_agg(${a}.note, ',' ORDER BY ${a}.note)`, `min(${a}.tags)`, `max(${a}.place)`],
    ...[`count(${a}.scores['a'])`, `arg_max(${a}.place.city, ${a}.id)`, `max(len(${a}.tags))`],
  ],
}
