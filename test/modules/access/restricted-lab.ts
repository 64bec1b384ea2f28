import { join } from 'node:path'
import fc from 'fast-check'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

export const TABLE = '/v1/tables/air.flights'
export const POLICY = `${TABLE}/policy`
export const ROWS = 60
const SELECT =
  'SELECT i AS id, ' +
  `CASE WHEN i % 5 <> 0 THEN ['EU', 'US', 'Asia%'][1 + i % 3] END AS region, ` +
  `CASE WHEN i % 4 = 0 THEN 'NaN'::DOUBLE WHEN i % 7 <> 0 THEN i / 4 END AS price, ` +
  `{'city': 'c' || (i % 4), 'zip': CASE WHEN i % 3 > 0 THEN i END} AS place, ` +
  `CASE WHEN i % 6 > 0 THEN [i, NULL] END AS hops, ` +
  `'Ab-' || (4000000 + i) || 'é😀.x' AS tail, ` +
  `DATE '2023-11-20' + CAST(i AS INTEGER) AS day, ` +
  `TIMESTAMPTZ '1969-12-30 23:59:59.5+00' + to_hours(CAST(i AS INTEGER)) AS seen `

export interface Row {
  readonly id: number
  readonly region: string | null
  /** NaN is null in JSON, and above all numbers for filters. */
  readonly price: number | null
  readonly city: string
  readonly zip: number | null
  /** Added after the first file. */
  readonly late: number
}

export const MODEL: readonly Row[] = Array.from({ length: ROWS }, (_, i) => ({
  id: i,
  region: i % 5 === 0 ? null : (['EU', 'US', 'Asia%'][i % 3] as string),
  price: i % 4 === 0 ? Number.NaN : i % 7 === 0 ? null : i / 4,
  city: `c${i % 4}`,
  zip: i % 3 > 0 ? i : null,
  late: i < ROWS / 2 ? 7 : i % 5,
}))

/** A table of two files, the first of which lacks a column, and who reads it. */
export interface RestrictedLab {
  readonly service: KeyedService
  /** Owns the namespace. */
  readonly staff: Caller
  readonly reader: Caller
  readonly other: Caller
}

export async function openRestrictedLab(): Promise<RestrictedLab> {
  const service = await startKeyedService()
  const { admin, dataFolder } = service
  const files = ['', ', i % 5 AS late'].map(async (more, half) => {
    const path = join(dataFolder, `flights-${half}.parquet`)
    const range = `range(${(half * ROWS) / 2}, ${((half + 1) * ROWS) / 2})`
    return await writeParquet(path, `${SELECT}${more} FROM ${range} t(i)`)
  })
  const [first, second] = await Promise.all(files)
  const named = { name: 'flights', namespace: 'air', infer_from: first }
  await must(admin.send('post', '/v1/tables', named), 201)
  await must(admin.send('post', `${TABLE}/files`, { files: [{ path: first }] }))
  const column = { name: 'late', type: 'long', default: 7 }
  await must(admin.send('post', `${TABLE}/schemas`, { changes: [{ op: 'add', column }] }))
  await must(admin.send('post', `${TABLE}/files`, { files: [{ path: second }] }))
  return {
    service,
    staff: await service.newCaller({ '/v1/namespaces/air': ['own'] }),
    reader: await service.newCaller({ [TABLE]: ['select'] }),
    other: await service.newCaller({ [TABLE]: ['select'] }),
  }
}

/** TRUE, FALSE or unknown. */
export type Test = (row: Row) => boolean | null
export type Filter = readonly [text: string, test: Test]

const known =
  (column: 'id' | 'zip' | 'late', holds: (value: number) => boolean): Test =>
  (row) => {
    const value = row[column]
    return value === null ? null : holds(value)
  }
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.nat(ROWS).map((n): Filter => [`id >= ${n}`, known('id', (id) => id >= n)]),
  fc.nat(ROWS).map((n): Filter => [`place.zip < ${n}`, known('zip', (zip) => zip < n)]),
  fc.nat(8).map((n): Filter => [`late = ${n}`, known('late', (late) => late === n)]),
  fc
    .nat(15)
    .map(
      (n): Filter => [
        `price > ${n}.25`,
        ({ price }) => (price === null ? null : Number.isNaN(price) || price > n + 0.25),
      ],
    ),
  fc.constantFrom<Filter>(
    ['region IS NULL', ({ region }) => region === null],
    ["region IN ('EU', 'X')", ({ region }) => (region === null ? null : region === 'EU')],
    ["region LIKE 'As_a\\%'", ({ region }) => (region === null ? null : region === 'Asia%')],
    ["price = 'nan'", ({ price }) => (price === null ? null : Number.isNaN(price))],
    ["place.city <> 'c1'", ({ city }) => city !== 'c1'],
  ),
)
export const filters: fc.Arbitrary<Filter> = fc.letrec<{ tree: Filter }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 2 },
    leaf,
    tie('tree').map(
      ([text, test]): Filter => [
        `NOT (${text})`,
        (row) => {
          const held = test(row)
          return held === null ? null : !held
        },
      ],
    ),
    fc.tuple(tie('tree'), tie('tree')).map(
      ([[a, left], [b, right]]): Filter => [
        `(${a} AND ${b})`,
        (row) => {
          const both = [left(row), right(row)]
          return both.includes(false) ? false : both.includes(null) ? null : true
        },
      ],
    ),
    fc.tuple(tie('tree'), tie('tree')).map(
      ([[a, left], [b, right]]): Filter => [
        `(${a} OR ${b})`,
        (row) => {
          const both = [left(row), right(row)]
          return both.includes(true) ? true : both.includes(null) ? null : false
        },
      ],
    ),
  ),
})).tree
