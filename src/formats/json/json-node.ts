import { CatalogError, type CatalogErrorCode } from '../../core/errors.ts'
import { LONG_MAX, LONG_MIN } from '../../core/value/single-value.ts'

export type JsonObject = Readonly<Record<string, unknown>>

const DEPTH_MAX = 200
const INT_MAX = 2 ** 31 - 1

/** Where a value comes from; errors name the path and use the code that fits the origin. */
export interface JsonOrigin {
  readonly path?: string
  readonly code?: CatalogErrorCode
  /** Items of each list and members of each map that are read; without it, any number. */
  readonly lengthMax?: number
}

/** A JSON value with its path, such as `$.schemas[0].fields[2].type`, which every error names. */
export class JsonNode {
  readonly value: unknown
  readonly path: string
  readonly #code: CatalogErrorCode
  readonly #lengthMax: number
  readonly #depth: number

  constructor(value: unknown, origin: JsonOrigin = {}, depth = 0) {
    this.value = value
    this.path = origin.path ?? '$'
    this.#code = origin.code ?? 'metadata-corrupt'
    this.#lengthMax = origin.lengthMax ?? Number.POSITIVE_INFINITY
    this.#depth = depth
    if (depth > DEPTH_MAX) throw this.error('too many levels')
  }

  error(problem: string): CatalogError {
    return new CatalogError(this.#code, `${this.path}: ${problem}`, { facts: { path: this.path } })
  }

  /** A required member. */
  get(key: string): JsonNode {
    const member = this.find(key)
    if (member === undefined) throw this.#child(`.${key}`, undefined).error('is missing')
    return member
  }

  /** An optional member; `undefined` if it is missing or null. */
  find(key: string): JsonNode | undefined {
    const object = this.#object()
    const value = Object.hasOwn(object, key) ? object[key] : undefined
    return value === undefined || value === null ? undefined : this.#child(`.${key}`, value)
  }

  isObject(): boolean {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value)
  }

  /** The items of an array; one that is too long is refused before any is read. */
  items(itemsMax = this.#lengthMax): readonly JsonNode[] {
    if (!Array.isArray(this.value)) throw this.#expected('an array')
    this.#requireWithin(this.value.length, itemsMax, 'items')
    return this.value.map((item, i) => this.#child(`[${i}]`, item))
  }

  /** The members of an object; too many are refused before any is read. */
  entries(entriesMax = this.#lengthMax): readonly (readonly [string, JsonNode])[] {
    const object = this.#object()
    const keys = Object.keys(object)
    this.#requireWithin(keys.length, entriesMax, 'members')
    return keys.map((key) => [
      key,
      this.#child(`[${JSON.stringify(key.slice(0, 100))}]`, object[key]),
    ])
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.#expected('a string')
    return this.value
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') throw this.#expected('true or false')
    return this.value
  }

  /** Reads a non-negative 32-bit integer. */
  id(): number {
    const value = this.safeInteger()
    if (value < 0 || value > INT_MAX) throw this.error(`${value} is not an id`)
    return value
  }

  /** Reads an integer that is exact in a number. */
  safeInteger(): number {
    if (!Number.isSafeInteger(this.value)) throw this.#expected('an integer')
    return this.value as number
  }

  /**
   * Reads a 64-bit integer. A number beyond 2^53 is refused, since it was rounded by the parser.
   */
  long(): bigint {
    const { value } = this
    if (typeof value === 'bigint') {
      if (value < LONG_MIN || value > LONG_MAX) throw this.error('an integer of more than 64 bits')
      return value
    }
    return BigInt(this.safeInteger())
  }

  oneOf<T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((text) => text === this.value)
    if (found === undefined) throw this.#expected(`one of ${allowed.join(', ')}`)
    return found
  }

  stringMap(membersMax?: number): Readonly<Record<string, string>> {
    return this.mapMembers((member) => member.string(), membersMax)
  }

  /** Reads all members; keys of any name become own properties of the result. */
  mapMembers<T>(read: (member: JsonNode) => T, membersMax?: number): Readonly<Record<string, T>> {
    return Object.fromEntries(this.entries(membersMax).map(([key, member]) => [key, read(member)]))
  }

  /** The bound of a list that may be longer than others; lists of what is stored have none. */
  boundAtLeast(lengthMax: number): number {
    return Math.max(this.#lengthMax, lengthMax)
  }

  #requireWithin(count: number, countMax: number, what: string): void {
    if (count > countMax) throw this.error(`has ${count} ${what}: the limit is ${countMax}`)
  }

  #object(): JsonObject {
    if (!this.isObject()) throw this.#expected('an object')
    return this.value as JsonObject
  }

  #child(step: string, value: unknown): JsonNode {
    const origin = { path: this.path + step, code: this.#code, lengthMax: this.#lengthMax }
    return new JsonNode(value, origin, this.#depth + 1)
  }

  #expected(wanted: string): CatalogError {
    return this.error(`expected ${wanted}, found ${describe(this.value)}`)
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  return typeof value === 'object' ? 'an object' : String(value)
}
