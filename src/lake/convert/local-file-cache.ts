import type { ObjectStore } from '../../objects/object-store.ts'

export interface LocalFileCacheOptions {
  readonly objects: ObjectStore
  /** Absolute path of a folder of this process alone. */
  readonly folder: string
  /** Most bytes of copies that nobody uses; those in use are kept whatever their size. */
  readonly bytesMax: number
  newUuid(): string
  writeLocalFile(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    limits: { readonly bytesMax: number },
  ): Promise<void>
  removeLocalFile(path: string): Promise<void>
}

/** Local paths of objects, good as long as the work lasts that they were asked for. */
export interface LocalPaths {
  pathOf(location: string): Promise<string>
}

interface Copy {
  readonly path: string
  readonly ready: Promise<number>
  sizeBytes: number
  users: number
}

/**
 * Objects as files of the local disk, for tools that read nothing else. Where the store has them
 * there, nothing is copied. Data files are immutable, so a copy is never stale; those asked for at
 * the same time share one.
 */
export class LocalFileCache {
  readonly #options: LocalFileCacheOptions
  /** Least recently used first. */
  readonly #copies = new Map<string, Copy>()

  constructor(options: LocalFileCacheOptions) {
    this.#options = options
  }

  async use<T>(work: (paths: LocalPaths) => Promise<T>): Promise<T> {
    const held: Copy[] = []
    try {
      return await work({ pathOf: (location) => this.#pathOf(location, held) })
    } finally {
      for (const copy of held) copy.users -= 1
      await this.#evict()
    }
  }

  async #pathOf(location: string, held: Copy[]): Promise<string> {
    const path = await this.#options.objects.findLocalPath(location)
    if (path !== undefined) return path
    const copy = this.#copies.get(location) ?? this.#begin(location)
    copy.users += 1
    held.push(copy)
    this.#copies.delete(location)
    this.#copies.set(location, copy)
    try {
      copy.sizeBytes = await copy.ready
    } catch (error) {
      if (this.#copies.get(location) === copy) this.#copies.delete(location)
      throw error
    }
    return copy.path
  }

  #begin(location: string): Copy {
    const path = `${this.#options.folder}/cached-${this.#options.newUuid()}`
    return { path, ready: this.#fetch(location, path), sizeBytes: 0, users: 0 }
  }

  async #fetch(location: string, path: string): Promise<number> {
    const { objects, writeLocalFile } = this.#options
    const { sizeBytes } = await objects.readTail(location, 0)
    const chunks = objects.readStream(location, 0, sizeBytes)
    await writeLocalFile(path, chunks, { bytesMax: sizeBytes })
    return sizeBytes
  }

  async #evict(): Promise<void> {
    const idle = [...this.#copies].filter(([, copy]) => copy.users === 0)
    let bytes = idle.reduce((sum, [, copy]) => sum + copy.sizeBytes, 0)
    for (const [location, copy] of idle) {
      if (bytes <= this.#options.bytesMax) return
      bytes -= copy.sizeBytes
      this.#copies.delete(location)
      await this.#options.removeLocalFile(copy.path)
    }
  }
}
