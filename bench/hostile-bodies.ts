import { bodyLimitsOf, type Route } from '../src/http/route.ts'
import { SAMPLE_UPDATES, sampleBody } from './sample-body.ts'

/** A body of a request that nobody means well with, made from the shape of its route. */
export interface HostileBody {
  readonly what: string
  /** Made when it is read, each time: there are hundreds for a route, of many megabytes. */
  readonly text: string
}

function hostileBody(what: string, makeText: () => string): HostileBody {
  return {
    what,
    get text() {
      return makeText()
    },
  }
}

type Json = Readonly<Record<string, unknown>>
type Path = readonly (string | number)[]

const WRONG_VALUES: readonly unknown[] = [
  ...[null, true, -1, 1.5, 2 ** 53, '', 'x', '\u0000', [], {}, [null], [{ x: 1 }]],
]
const LONG_DIGITS = '9'.repeat(19)
const HUGE_DIGITS = '9'.repeat(4_000)
/** One more than most lists may have. */
const LIST_LENGTH = 10_001
/** Parsing takes longest with as many. */
const NAMES_OF_EACH = 100
/** Stands for text that JSON.stringify would not write. */
const HOLE = '"\u2060hole"'

/** What the bodies are made from; for commits of engines one for each kind of update. */
export function bodiesOf(route: Route): readonly unknown[] {
  const sample = sampleBody(route)
  const isCommit = typeof sample === 'object' && sample !== null && 'updates' in sample
  if (!isCommit || !Array.isArray(sample.updates)) return [sample]
  return SAMPLE_UPDATES.map((update) => ({ ...sample, updates: [update] }))
}

/** Small bodies: each member and item replaced by a value of another kind, or left out. */
export function* wrongBodies(route: Route): Generator<HostileBody> {
  for (const example of bodiesOf(route)) yield* wrongVariants(example)
}

function* wrongVariants(example: unknown): Generator<HostileBody> {
  for (const path of pathsOf(example)) {
    for (const value of WRONG_VALUES) {
      const what = `${shown(path)} is ${JSON.stringify(value)}`
      yield hostileBody(what, () => textOf(put(example, path, value)))
    }
    for (const digits of [LONG_DIGITS, HUGE_DIGITS, '1e999']) {
      const what = `${shown(path)} is a number of ${digits.length} characters`
      yield hostileBody(what, () => withText(example, path, digits))
    }
    const missing = () => textOf(put(example, path, undefined))
    yield hostileBody(`${shown(path)} is missing`, missing)
  }
}

/** Bodies as large as the route takes, each of another kind of excess. */
export function* largeBodies(route: Route): Generator<HostileBody> {
  const { valuesMax, bytesMax } = bodyLimitsOf(route)
  const bodies = bodiesOf(route)
  for (const [number, example] of bodies.entries()) {
    // What surrounds an update is the same for all kinds of them.
    const paths = pathsOf(example).filter(([first]) => number === 0 || first === 'updates')
    for (const path of paths) yield* largeVariants(route, example, path)
  }
  for (const path of [[], ...pathsOf(bodies[0]).filter(({ length }) => length === 1)]) {
    yield* longAndDeep(route, bodies[0], path)
  }
  yield hostileBody('not JSON, at the end', () => `${many('"x"', valuesMax, bytesMax - 4_096)}]`)
  const endless = () => `{"a":"${'\\n'.repeat(bytesMax / 2 - 4_096)}`
  yield hostileBody('a string without an end', endless)
}

function* largeVariants(route: Route, example: unknown, path: Path): Generator<HostileBody> {
  const { bytesMax, valuesMax } = bodyLimitsOf(route)
  const length = bytesMax - 4_096
  for (const item of itemsAt(example, path)) {
    const what = `${shown(path)} has many of ${item.slice(0, 40)}`
    yield hostileBody(what, () => withText(example, path, many(item, valuesMax, length)))
  }
  const members = () => withText(example, path, manyMembers(valuesMax, length))
  yield hostileBody(`${shown(path)} has many members`, members)
  const names = () => withText(example, path, manyNames(valuesMax, length))
  yield hostileBody(`${shown(path)} has many objects, each with names of its own`, names)
}

function* longAndDeep(route: Route, example: unknown, path: Path): Generator<HostileBody> {
  const { bytesMax, depthMax } = bodyLimitsOf(route)
  const at = shown(path)
  const length = bytesMax - 4_096
  const depth = depthMax - path.length - 1
  const make = (what: string, json: () => string) =>
    hostileBody(`${at} ${what}`, () => withText(example, path, json()))
  yield make('is a string as long as it may be', () => `"${'x'.repeat(length)}"`)
  yield make('is a string of escapes', () => `"${'\\u00e9'.repeat(length / 6)}"`)
  yield make('is as deep as it may be', () => nested('[', ']', depth))
  yield make('is deep in objects', () => nested('{"a":', '}', depth, '1'))
}

/** Each list replaced by so many values of other kinds that its shape may not read them. */
export function* longLists(route: Route): Generator<HostileBody> {
  for (const example of bodiesOf(route)) {
    for (const path of pathsOf(example)) {
      if (!Array.isArray(valueAt(example, path))) continue
      for (const item of [LONG_DIGITS, '{"x":1}']) {
        const json = () => `[${Array(LIST_LENGTH).fill(item).join(',')}]`
        const what = `${shown(path)} is ${LIST_LENGTH} of ${item}`
        yield hostileBody(what, () => withText(example, path, json()))
      }
    }
  }
}

/** Bodies beyond the limits: none of them may be parsed. */
export function* excessiveBodies(route: Route): Generator<HostileBody> {
  const { bytesMax, valuesMax, depthMax } = bodyLimitsOf(route)
  for (const item of ['{"x":1}', '{}', '[]', '0', '""']) {
    const count = Math.max(valuesMax + 1, Math.floor(bytesMax / (item.length + 1)) - 100)
    const text = () => `{"a":[${Array(count).fill(item).join(',')}]}`
    yield hostileBody(`too many of ${item}`, text)
  }
  const longString = 8 * 1024 * 1024 + 1
  if (bytesMax > longString + 10) {
    yield hostileBody('one long string', () => `{"a":"${'\\n'.repeat(longString / 2)}"}`)
  }
  yield hostileBody('too deep', () => nested('[', ']', depthMax + 1))
  yield hostileBody('without an end', () => '['.repeat(bytesMax - 1))
  yield hostileBody('too long', () => `"${'x'.repeat(bytesMax)}"`)
}

/** All members and items, and one beyond each object. */
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return []
  const keys = Array.isArray(value) ? [...value.keys()] : [...Object.keys(value), 'unknown']
  return keys.flatMap((key) => [
    [...path, key],
    ...pathsOf((value as Record<string | number, unknown>)[key], [...path, key]),
  ])
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((at, key) => Object(at)[key], value)
}

function put(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement
  const copy = (Array.isArray(value) ? [...value] : { ...(value as Json) }) as Record<
    string | number,
    unknown
  >
  copy[key] = put(copy[key], rest, replacement)
  return copy
}

function withText(value: unknown, path: Path, json: string): string {
  const text = textOf(put(value, path, JSON.parse(HOLE)))
  const at = text.indexOf(HOLE)
  return text.slice(0, at) + json + text.slice(at + HOLE.length)
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? ''
}

function shown(path: Path): string {
  return path.length === 0 ? 'the body' : path.join('.')
}

function nested(open: string, close: string, depth: number, inner = ''): string {
  return open.repeat(depth) + inner + close.repeat(depth)
}

/** What the member has now, and what costs most to parse. */
function itemsAt(example: unknown, path: Path): readonly string[] {
  const here = valueAt(example, path)
  const own = Array.isArray(here) ? here.map(textOf) : [textOf(here ?? 'x')]
  return [...own.filter((text) => text !== ''), '{"x":1}', LONG_DIGITS]
}

function many(item: string, valuesMax: number, lengthMax: number): string {
  const each = (item.match(/[,[{]/g)?.length ?? 0) + 1
  const spare = Math.floor(lengthMax / (item.length + 1))
  return `[${Array(Math.min(Math.floor((valuesMax - 200) / each), spare))
    .fill(item)
    .join(',')}]`
}

function manyMembers(valuesMax: number, lengthMax: number): string {
  const count = Math.min(valuesMax - 200, Math.floor(lengthMax / 12))
  return `{${Array.from({ length: count }, (_, i) => `"m${i}":1`).join(',')}}`
}

/** Each name in each object makes the parser a class of objects. */
function manyNames(valuesMax: number, lengthMax: number): string {
  const count = Math.floor(Math.min(valuesMax - 200, lengthMax / 14) / NAMES_OF_EACH)
  const objectOf = (_: unknown, number: number) => {
    const names = Array.from({ length: NAMES_OF_EACH }, (_name, i) => `"n${number}_${i}":1`)
    return `{${names.join(',')}}`
  }
  return `[${Array.from({ length: count }, objectOf).join(',')}]`
}
