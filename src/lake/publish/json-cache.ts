import { sizeOf } from './pieces.ts'

/**
 * Name of a table's metadata. A file that others wrote may be registered again after it was
 * replaced, but no version of a table comes twice.
 */
export function metadataName(metadataLocation: string, version: number): string {
  return `${version} ${metadataLocation}`
}

/**
 * JSON documents as pieces of UTF-8, by name; least recently used first out. A name stands for one
 * content for ever.
 */
export class JsonCache {
  readonly #bytesMax: number
  readonly #byName = new Map<string, readonly Uint8Array[]>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  find(name: string): readonly Uint8Array[] | undefined {
    const found = this.#byName.get(name)
    if (found === undefined) return undefined
    this.#byName.delete(name)
    this.#byName.set(name, found)
    return found
  }

  remember(name: string, json: readonly Uint8Array[]): void {
    if (sizeOf(json) > this.#bytesMax / 2) return
    this.#forget(name)
    this.#byName.set(name, json)
    this.#bytes += sizeOf(json)
    for (const oldest of this.#byName.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#forget(oldest)
    }
  }

  #forget(name: string): void {
    this.#bytes -= sizeOf(this.#byName.get(name) ?? [])
    this.#byName.delete(name)
  }
}
