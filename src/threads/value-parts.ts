/**
 * A plain value in parts, as threads hand it over: whoever receives a message copies all of it at
 * once, so that one of a million values would hold the event loop for seconds.
 */

/** Weight of a part, unless it is one longer text: some milliseconds to copy. */
const PART_WEIGHT_MAX = 10_000
/** Characters or bytes that weigh as much as one value. */
const UNITS_PER_WEIGHT = 64

/** Members of one container: a list, or a record whose keys are given. */
export interface ValuePart {
  readonly container: number
  readonly keys: readonly string[] | undefined
  readonly values: readonly unknown[]
  /** Values that were handed over as a container of their own, by their index. */
  readonly handedOver: readonly (readonly [index: number, container: number])[]
}

/**
 * The parts of a list or a record, members of members before those that have them: the last part
 * belongs to the value itself. Other objects than lists and records are not divided.
 */
export function partsOf(value: object, weightMax = PART_WEIGHT_MAX): readonly ValuePart[] {
  const divider = new Divider(weightMax)
  divider.handOver(value)
  return divider.parts
}

interface Member {
  readonly key: string | undefined
  readonly value: unknown
  readonly weight: number
  /** Where it was handed over, unless it is part of its container's own. */
  readonly container: number | undefined
}

class Divider {
  readonly parts: ValuePart[] = []
  readonly #weightMax: number
  #containers = 0

  constructor(weightMax: number) {
    this.#weightMax = weightMax
  }

  handOver(value: object): number {
    return this.#add(this.#membersOf(value), Array.isArray(value))
  }

  #membersOf(value: object): readonly Member[] {
    if (Array.isArray(value)) return value.map((item) => this.#member(undefined, item))
    return Object.entries(value).map(([key, item]) => this.#member(key, item))
  }

  #member(key: string | undefined, value: unknown): Member {
    const weight = key === undefined ? 0 : weightOf(key)
    if (!isDivisible(value)) {
      return { key, value, weight: weight + weightOf(value), container: undefined }
    }
    const members = this.#membersOf(value)
    const whole = members.reduce((sum, member) => sum + member.weight, weight + 1)
    const isWhole = members.every(({ container }) => container === undefined)
    if (isWhole && whole <= this.#weightMax) {
      return { key, value, weight: whole, container: undefined }
    }
    return {
      key,
      value: undefined,
      weight: weight + 1,
      container: this.#add(members, Array.isArray(value)),
    }
  }

  #add(members: readonly Member[], isList: boolean): number {
    const container = this.#containers++
    let group: Member[] = []
    let weight = 0
    const end = () => {
      this.parts.push(partOf(container, group, isList))
      group = []
      weight = 0
    }
    for (const member of members) {
      if (group.length > 0 && weight + member.weight > this.#weightMax) end()
      group.push(member)
      weight += member.weight
    }
    end()
    return container
  }
}

function partOf(container: number, members: readonly Member[], isList: boolean): ValuePart {
  return {
    container,
    keys: isList ? undefined : members.map(({ key = '' }) => key),
    values: members.map(({ value }) => value),
    handedOver: members.flatMap((member, index) =>
      member.container === undefined ? [] : [[index, member.container] as const],
    ),
  }
}

function isDivisible(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}

function weightOf(value: unknown): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / UNITS_PER_WEIGHT)
  if (ArrayBuffer.isView(value)) return 1 + Math.floor(value.byteLength / UNITS_PER_WEIGHT)
  return 1
}

/** Puts a value together from its parts, in their order. */
export class JoinedValue {
  readonly #containers = new Map<number, object>()
  #last: object | undefined

  add({ container, keys, values, handedOver }: ValuePart): void {
    const all = [...values]
    for (const [index, place] of handedOver) {
      all[index] = this.#containers.get(place)
      this.#containers.delete(place)
    }
    const into = this.#containers.get(container) ?? (keys === undefined ? [] : {})
    this.#containers.set(container, into)
    this.#last = into
    for (const [i, value] of all.entries()) {
      if (Array.isArray(into)) into.push(value)
      else define(into, keys?.[i] ?? '', value)
    }
  }

  /** The value, once it has all parts. */
  get value(): unknown {
    return this.#last
  }
}

/** Assigning would take `__proto__` for another thing than a key. */
function define(into: object, key: string, value: unknown): void {
  Object.defineProperty(into, key, {
    ...{ value, enumerable: true, writable: true, configurable: true },
  })
}
