import { Buffer } from 'node:buffer'

/**
 * JSON that gives back what was put in: bigint, Uint8Array, Map, NaN, infinities and -0 travel as
 * objects with one key that begins with `$`, e.g. `9n` as `{"$bigint":"9"}`. Absent and undefined
 * members are one.
 */
export function encodeExact(value: unknown): string {
  return JSON.stringify(toPlain(value))
}

/** Undoes `encodeExact`; only for text that it wrote. */
export function decodeExact<T>(text: string): T {
  return fromPlain(JSON.parse(text)) as T
}

function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() }
  if (typeof value === 'number')
    return isPlainNumber(value) ? value : { $number: numberText(value) }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toPlain)
  if (value instanceof Uint8Array) return { $bytes: base64(value) }
  if (value instanceof Map) return { $map: pairsToPlain([...value]) }
  return objectToPlain(value)
}

function objectToPlain(value: object): object {
  const plain: Record<string, unknown> = {}
  const members = value as Record<string, unknown>
  for (const key of Object.keys(value)) {
    // An object of the user's with such a key must not be taken for one of ours.
    if (key.startsWith('$')) return { $object: pairsToPlain(Object.entries(value)) }
    setMember(plain, key, toPlain(members[key]))
  }
  return plain
}

/** A member called __proto__ is data like any other. */
function setMember(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') {
    object[key] = value
    return
  }
  Object.defineProperty(object, key, {
    ...{ value, enumerable: true, configurable: true, writable: true },
  })
}

function pairsToPlain(pairs: readonly (readonly [unknown, unknown])[]): unknown {
  return pairs.map(([key, member]) => [toPlain(key), toPlain(member)])
}

function isPlainNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0)
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Changes what it is given in place: nobody else has it. */
function fromPlain(plain: unknown): unknown {
  if (typeof plain !== 'object' || plain === null) return plain
  if (Array.isArray(plain)) {
    for (let i = 0; i < plain.length; i++) plain[i] = fromPlain(plain[i])
    return plain
  }
  const members = plain as Record<string, unknown>
  const keys = Object.keys(plain)
  const [first] = keys
  if (keys.length === 1 && first?.startsWith('$')) return fromTagged(first, members[first])
  for (const key of keys) {
    const member = members[key]
    if (typeof member === 'object') setMember(members, key, fromPlain(member))
  }
  return plain
}

function fromTagged(tag: string, content: unknown): unknown {
  switch (tag) {
    case '$bigint':
      return BigInt(content as string)
    case '$number':
      return Number(content)
    case '$bytes':
      // A copy: Buffer is a view on a shared pool, and a subclass.
      return new Uint8Array(Buffer.from(content as string, 'base64'))
    case '$map':
      return new Map(pairsFromPlain(content))
    case '$object':
      return Object.fromEntries(pairsFromPlain(content) as [string, unknown][])
    default:
      throw new Error(`exact JSON has no tag ${tag}`)
  }
}

function pairsFromPlain(content: unknown): [unknown, unknown][] {
  return (content as [unknown, unknown][]).map(([key, member]) => [
    fromPlain(key),
    fromPlain(member),
  ])
}
