import type { z } from 'zod'
import { SAMPLE_UPDATES } from '../../../../bench/sample-body.ts'
import { JsonCensus } from '../../../../src/formats/json/json-census.ts'
import { bodyLimitsOf, type Route } from '../../../../src/http/route.ts'
import { documentedDialects } from '../../../../src/modules.ts'
import { must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { send } from '../../../http/send.ts'

type Json = Record<string | number, unknown>
type Path = readonly (string | number)[]

const dialect = documentedDialects().find(({ root }) => root === '/iceberg')
const routes = (dialect?.routes ?? []).filter(({ body }) => body !== undefined)
const VIEW_VERSION = {
  ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0 },
  representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
  'default-namespace': ['default'],
  summary: { a: 'b' },
}
const UPDATES = [
  ...SAMPLE_UPDATES,
  { action: 'add-view-version', 'view-version': VIEW_VERSION },
] as readonly Json[]

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const columns = [{ name: 'id', type: 'long' }]
  await must(post(service, '/v1/tables', { name: 'flights', schema: { columns } }), 201)
  const queries = [{ dialect: 'duckdb', sql: 'SELECT 1' }]
  await must(post(service, '/v1/views', { name: 'late', queries }), 201)
})
afterAll(() => service.close())

interface Bounded {
  readonly path: Path
  readonly kind: 'list' | 'map'
  readonly lengthMax: number
}

/** Lists and maps in a shape, with the bounds that it documents. */
function boundedIn(shape: z.ZodType, path: Path = []): readonly Bounded[] {
  const def = shape._zod.def as unknown as {
    readonly type: string
    readonly entriesMax?: number
    readonly checks?: readonly { readonly _zod: { readonly def: { readonly maximum?: number } } }[]
    readonly shape?: Readonly<Record<string, z.ZodType>>
    readonly element?: z.ZodType
    readonly innerType?: z.ZodType
    readonly valueType?: z.ZodType
  }
  const maximum = def.checks?.find(({ _zod }) => _zod.def.maximum !== undefined)
  const lengthMax = def.entriesMax ?? maximum?._zod.def.maximum ?? Number.POSITIVE_INFINITY
  const kinds: Readonly<Record<string, Bounded['kind']>> = { array: 'list', record: 'map' }
  const kind = kinds[def.type]
  const below: readonly (readonly [Path, z.ZodType | undefined])[] = [
    ...Object.entries(def.shape ?? {}).map(([key, each]) => [[...path, key], each] as const),
    [[...path, 0], def.element],
    [[...path, 'a'], def.valueType],
    [path, def.innerType],
  ]
  return [
    ...(kind === undefined ? [] : [{ path, kind, lengthMax }]),
    ...below.flatMap(([at, each]) => (each === undefined ? [] : boundedIn(each, at))),
  ]
}

const SPEC = { fields: [{ 'source-id': 1, name: 'p', transform: 'bucket[4]' }] }
const SORT_FIELD = { 'source-id': 1, transform: 'identity' }
const SORT_ORDER = {
  'order-id': 1,
  fields: [{ ...SORT_FIELD, direction: 'asc', 'null-order': 'nulls-first' }],
}
const MORE: Readonly<Record<string, Json>> = {
  icebergCreateTable: { 'partition-spec': SPEC, 'write-order': SORT_ORDER },
}

/** The route's example, with an update that has the member where the path leads into one. */
function exampleFor({ body, operationId }: Route, path: Path): Json {
  const documented = JSON.stringify(body?.meta()?.['example'])
  const own = operationId === 'icebergCommitTransaction'
  const named = documented.replaceAll('"sky"', '"default"').replaceAll('"stars"', '"flights"')
  const example = { ...(JSON.parse(own ? named : documented) as Json), ...MORE[operationId] }
  const at = path.indexOf('updates')
  const member = path[at + 2]
  if (at < 0 || member === undefined) return example
  const update = UPDATES.find((each) => Object.hasOwn(each, member))
  if (update === undefined) throw new Error(`no update has ${String(member)}`)
  return put(example, path.slice(0, at + 2), update) as Json
}

function put(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement
  const copy = (Array.isArray(value) ? [...value] : { ...(value as Json) }) as Json
  copy[key] = put(copy[key], rest, replacement)
  return copy
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((found, key) => (found as Json | undefined)?.[key], value)
}

/** One more than is taken, of what the example has there. */
function tooLong(example: Json, { path, kind, lengthMax }: Bounded): unknown {
  const items = Array.from({ length: lengthMax + 1 }, (_, i) => i)
  const own = at(example, path)
  // Whole updates would be too many values.
  const [item] = Array.isArray(own) && path.at(-1) !== 'updates' ? own : []
  if (kind === 'list') return items.map(() => item ?? 'x')
  const [value = 'b'] = Object.values((own as object | undefined) ?? {})
  return { ...(own as Json), ...Object.fromEntries(items.map((i) => [`k${i}`, value])) }
}

const cases = routes.flatMap((route) =>
  boundedIn(route.body as z.ZodType).map((bounded) => ({
    route,
    bounded,
    name: `${route.operationId}: ${bounded.path.join('.')}`,
  })),
)

test('there are bounds to be tried', () => {
  expect(cases.length).toBeGreaterThan(50)
  expect(cases.filter(({ bounded }) => !Number.isFinite(bounded.lengthMax))).toEqual([])
})

test.each(cases)('$name: one more than its bound is refused by the bound', async (tried) => {
  const { route, bounded } = tried
  const example = exampleFor(route, bounded.path)
  const body = JSON.stringify(put(example, bounded.path, tooLong(example, bounded)))
  const names: Record<string, string> = { namespace: 'default', table: 'flights', view: 'late' }
  const path = (dialect?.paths.served(route.path) ?? '').replaceAll(
    /\{(.+?)\}/g,
    (_, name: string) => names[name] ?? 'x',
  )
  const { status, text } = await send(`${service.url}/iceberg${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  const census = new JsonCensus()
  census.take(Buffer.from(body))
  if (census.values > bodyLimitsOf(route).valuesMax) {
    expect([status, text]).toEqual([413, expect.stringContaining('values')])
    return
  }
  const { lengthMax } = bounded
  const told = new RegExp(`the limit is ${lengthMax}\\b|[Mm]ore than ${lengthMax}\\b`)
  expect([status, text]).toEqual([400, expect.stringMatching(told)])
})
