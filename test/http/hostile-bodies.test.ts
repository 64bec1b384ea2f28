import { Session } from 'node:inspector/promises'
import { jest } from '@jest/globals'
import type { z } from 'zod'
import {
  excessiveBodies,
  type HostileBody,
  largeBodies,
  longLists,
  wrongBodies,
} from '../../bench/hostile-bodies.ts'
import { CodedError } from '../../src/core/errors.ts'
import { JsonCensus } from '../../src/formats/json/json-census.ts'
import { SHORT_BODY_BYTES } from '../../src/http/body/body-memory.ts'
import { parseJsonBody, parseLongJsonBody } from '../../src/http/body/json-body.ts'
import type { Dialect } from '../../src/http/dialect.ts'
import { bodyLimitsOf, type Route } from '../../src/http/route.ts'
import { documentedDialects } from '../../src/modules.ts'
import { must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'
import { send } from './send.ts'

/** Three times what the worst body takes. */
const CPU_MS_MAX = 450
/** Three times what 16 MiB in one string take, the client and the way through included. */
const SENT_CPU_MS_MAX = 840
/** Three times what the worst body makes: 8 MiB of bad columns made 2.6 GB. */
const ALLOCATED_BYTES_MAX = 210 * 1024 * 1024
const WRONG_BODIES_MAX = 60
const LARGE_BODIES_MAX = 10

const taking = documentedDialects().flatMap((dialect) =>
  dialect.routes
    .filter(({ body }) => body !== undefined)
    .map((route) => ({ name: route.operationId, dialect, route })),
)

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'at', type: 'timestamptz' },
  ]
  await must(post(service, '/v1/tables', { name: 'flights', schema: { columns } }), 201)
  const queries = [{ dialect: 'duckdb', sql: 'SELECT 1' }]
  await must(post(service, '/v1/views', { name: 'late', queries }), 201)
})
afterAll(() => service.close())

function pathOf({ paths, root }: Dialect, { path }: Route): string {
  const names: Record<string, string> = {
    ...{ table_identifier: 'flights', view_identifier: 'late', namespace: 'default' },
    ...{ table: 'flights', view: 'late' },
  }
  return root + paths.served(path).replaceAll(/\{(.+?)\}/g, (_, name: string) => names[name] ?? 'x')
}

function* some(bodies: Iterable<HostileBody>, count: number): Generator<HostileBody> {
  const all = [...bodies]
  const stride = Math.max(1, Math.floor(all.length / count))
  for (let i = 0; i < all.length; i += stride) yield all[i] as HostileBody
}

async function statusOf(dialect: Dialect, route: Route, body: string): Promise<number> {
  const { status, text } = await send(service.url + pathOf(dialect, route), {
    method: route.method.toUpperCase(),
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  if (status >= 500 && status !== 501) throw new Error(`${status} ${text}`)
  return status
}

test.each(taking)(
  '$name: no wrong body is a failure of the service',
  async ({ dialect, route }) => {
    for (const { what, text } of some(wrongBodies(route), WRONG_BODIES_MAX)) {
      const status = await statusOf(dialect, route, text).catch((cause) => {
        throw new Error(what, { cause })
      })
      expect(status).toBeGreaterThanOrEqual(200)
    }
    expect(service.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
  },
)

test.each(taking)('$name: a list of any length is read or refused', async ({ dialect, route }) => {
  for (const { what, text } of longLists(route)) {
    const told = await readOrRefused(dialect, route, text)
    expect([what, told]).toEqual([what, undefined])
  }
})

/** The failure of a reader that did not expect such a body. */
async function readOrRefused(
  dialect: Dialect,
  route: Route,
  text: string,
): Promise<string | undefined> {
  const bytes = Buffer.from(text)
  const isLong = bytes.length > SHORT_BODY_BYTES
  try {
    const json = isLong ? await parseLongJsonBody(bytes) : parseJsonBody(bytes)
    dialect.bodies.read(json, route)
  } catch (error) {
    if (!(error instanceof CodedError)) return String(error)
    // Refused, and with a reason for people.
    expect(error.message.length).toBeLessThan(1_000)
  }
  return undefined
}

test.each(taking)('$name: no large body takes long or much memory', async ({ dialect, route }) => {
  for (const { what, text } of some(largeBodies(route), LARGE_BODIES_MAX)) {
    const read = async () => {
      expect([what, await readOrRefused(dialect, route, text)]).toEqual([what, undefined])
    }
    let cpuMs = 0
    const allocated = await allocatedBytes(async () => {
      // Without the profiler's own work, which grows with the heap.
      cpuMs = await cpuMsOf(read)
    })
    const isShort = cpuMs < CPU_MS_MAX || (await takesLess(CPU_MS_MAX, read))
    expect([what, isShort]).toEqual([what, true])
    expect([what, allocated < ALLOCATED_BYTES_MAX]).toEqual([what, true])
  }
})

test.each(taking)('$name: a body beyond the limits is not parsed', async ({ dialect, route }) => {
  const parse = jest.spyOn(JSON, 'parse')
  try {
    for (const { what, text } of excessiveBodies(route)) {
      let status: number | string = ''
      const send = async () => {
        status = await statusOf(dialect, route, text).catch((error: unknown) => String(error))
      }
      expect([what, await takesLess(SENT_CPU_MS_MAX, send)]).toEqual([what, true])
      // Some are refused before they are sent whole, and the client is cut off.
      const isRefused = [400, 413].includes(Number(status)) || /EPIPE|ECONN/.test(String(status))
      expect([what, isRefused]).toEqual([what, true])
    }
    const { valuesMax, bytesMax } = bodyLimitsOf(route)
    for (const [text] of parse.mock.calls) {
      const census = new JsonCensus()
      census.take(Buffer.from(text))
      expect(census.values).toBeLessThanOrEqual(valuesMax)
      expect(text.length).toBeLessThanOrEqual(bytesMax)
    }
  } finally {
    parse.mockRestore()
  }
})

/**
 * What shapes leave open, by the name of the member, and what bounds it besides the number of
 * values and the depth of the route's body.
 */
const OPEN_MEMBERS: Readonly<Record<string, string>> = {
  type: 'types are read to 16 levels and 2,000 columns (core/schema/schema-rules.ts)',
  default: 'a value of the type of its column',
  metadata: '16,384 keys, and 65,536 characters as JSON (core/limits.ts)',
  'schema.fields': 'each is read by its members; fields of all levels are counted',
  filter: 'terms and levels of expressions are counted (core/filter/parse)',
}

test('each list and record of a request is bounded, and measured before it is read', () => {
  const found = taking.flatMap(({ name, route }) => partsOf(route.body, name))
  expect(found.filter(({ kind }) => kind === 'unbounded').map(({ path }) => path)).toEqual([])
  const open = found.filter(({ kind }) => kind === 'open').map(({ path }) => path)
  const reasonOf = (path: string) =>
    Object.keys(OPEN_MEMBERS).find((member) => path.endsWith(`.${member}`))
  expect(open.filter((path) => reasonOf(path) === undefined)).toEqual([])
  expect(new Set(open.map(reasonOf))).toEqual(new Set(Object.keys(OPEN_MEMBERS)))
})

interface Part {
  readonly kind: 'unbounded' | 'open'
  readonly path: string
}

/**
 * Where a shape has a list or a record that `http/bounded-shapes.ts` has not made, and where it
 * takes anything.
 */
function partsOf(shape: z.ZodType | undefined, path: string): readonly Part[] {
  if (shape === undefined) return []
  const def = shape._zod.def as unknown as Readonly<Record<string, unknown>>
  const { traits } = shape._zod
  const isFree =
    (def['type'] === 'array' && !traits.has('BoundedArray')) ||
    (def['type'] === 'record' && !traits.has('BoundedRecord'))
  const inner = ['innerType', 'in', 'element', 'valueType'].flatMap((key) => def[key] ?? [])
  const within = [
    ...Object.entries((def['shape'] as object | undefined) ?? {}),
    ...[...inner, ...((def['options'] as z.ZodType[] | undefined) ?? [])].map((each) => ['', each]),
  ] as [string, z.ZodType][]
  return [
    ...(isFree ? [{ kind: 'unbounded' as const, path }] : []),
    ...(['unknown', 'any'].includes(String(def['type'])) ? [{ kind: 'open' as const, path }] : []),
    ...within.flatMap(([key, each]) => partsOf(each, key === '' ? path : `${path}.${key}`)),
  ]
}

interface Sample {
  readonly selfSize: number
  readonly children: readonly Sample[]
}

/** About how many bytes the work allocates, what is collected again included. */
async function allocatedBytes(work: () => Promise<void>): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 64 * 1024,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    } as object)
    await work()
    const { profile } = (await session.post('HeapProfiler.stopSampling')) as {
      profile: { head: Sample }
    }
    return sizeOf(profile.head)
  } finally {
    session.disconnect()
  }
}

/**
 * Whether the work takes less processor time than this, once of three times: it is the same each
 * time, and the time of a collection of what tests before it have left is not its own.
 */
async function takesLess(cpuMsMax: number, work: () => Promise<void>): Promise<boolean> {
  for (let time = 0; time < 3; time++) {
    if ((await cpuMsOf(work)) < cpuMsMax) return true
  }
  return false
}

async function cpuMsOf(work: () => Promise<void>): Promise<number> {
  const begun = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1000
}

function sizeOf({ selfSize, children }: Sample): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize)
}
