/**
 * A record being changed, copied at the first change only. Values are compared by identity, so
 * setting a value that is already there changes nothing.
 */
export class ChangingMap<Value> {
  readonly #record: Readonly<Record<string, Value>>
  #changed: Map<string, Value> | undefined

  constructor(record: Readonly<Record<string, Value>>) {
    this.#record = record
  }

  get(key: string): Value | undefined {
    if (this.#changed !== undefined) return this.#changed.get(key)
    return Object.hasOwn(this.#record, key) ? this.#record[key] : undefined
  }

  set(key: string, value: Value): void {
    if (this.get(key) !== value) this.#changing().set(key, value)
  }

  delete(key: string): void {
    if (this.get(key) !== undefined) this.#changing().delete(key)
  }

  get size(): number {
    return this.#changed?.size ?? Object.keys(this.#record).length
  }

  entries(): Iterable<readonly [string, Value]> {
    return this.#changed ?? Object.entries(this.#record)
  }

  /** The original record if nothing was changed. */
  toRecord(): Readonly<Record<string, Value>> {
    return this.#changed === undefined ? this.#record : Object.fromEntries(this.#changed)
  }

  #changing(): Map<string, Value> {
    this.#changed ??= new Map(Object.entries(this.#record))
    return this.#changed
  }
}
