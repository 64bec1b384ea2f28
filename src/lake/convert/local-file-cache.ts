import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import type { FooterOfFile } from '../file/read-footer.ts'

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
  /** Throws `data-file-changed` if the object is not the one that was seen any more. */
  pathOf(location: string, wanted?: WantedCopy): Promise<string>
}

export interface WantedCopy {
  /** The object as its footer was read; as it is now without. */
  readonly seen?: Pick<FooterOfFile, 'fileSizeBytes' | 'version' | 'localPath'>
  readonly end?: NewEnd | undefined
}

/** Another footer of a Parquet file, for a copy that is read by it. */
export interface NewEnd {
  /** Where the footer begins. */
  readonly offset: number
  readonly footer: Uint8Array
}

const MAGIC = Buffer.from('PAR1')

interface Copy {
  readonly path: string
  readonly ready: Promise<number>
  sizeBytes: number
  users: number
}

/**
 * Objects as files of the local disk, for tools that read nothing else. Where the store has them
 * there, nothing is copied. A copy is of one version; those who ask for it at the same time share
 * one.
 */
export class LocalFileCache {
  readonly #options: LocalFileCacheOptions
  /** Least recently used first. */
  readonly #copies = new Map<string, Copy>()

  constructor(options: LocalFileCacheOptions) {
    this.#options = options
  }

  /** What is still asked for when the work has ended gets a path that is good for nothing. */
  async use<T>(work: (paths: LocalPaths) => Promise<T>): Promise<T> {
    const held: Copy[] = []
    let isOver = false
    const hold = (copy: Copy) => {
      if (isOver) return
      copy.users += 1
      held.push(copy)
    }
    try {
      return await work({ pathOf: (location, wanted) => this.#pathOf(location, hold, wanted) })
    } finally {
      isOver = true
      for (const copy of held) copy.users -= 1
      await this.#evict()
    }
  }

  async #pathOf(
    location: string,
    hold: (copy: Copy) => void,
    { seen, end }: WantedCopy = {},
  ): Promise<string> {
    const { objects } = this.#options
    if (end === undefined) {
      const path = seen?.localPath ?? (await objects.findLocalPath(location))
      if (path !== undefined) return path
    }
    const source = seen === undefined ? await find(objects, location) : seenAs(location, seen)
    // A location has no such character.
    const key = [location, source.version, end === undefined ? '' : 'end'].join('\0')
    const copy = this.#copies.get(key) ?? this.#begin(source, end)
    hold(copy)
    this.#copies.delete(key)
    this.#copies.set(key, copy)
    try {
      copy.sizeBytes = await copy.ready
    } catch (error) {
      if (this.#copies.get(key) === copy) this.#copies.delete(key)
      throw error
    }
    return copy.path
  }

  #begin(source: Source, end: NewEnd | undefined): Copy {
    const path = `${this.#options.folder}/cached-${this.#options.newUuid()}`
    return { path, ready: this.#fetch(source, path, end), sizeBytes: 0, users: 0 }
  }

  async #fetch(source: Source, path: string, end: NewEnd | undefined): Promise<number> {
    const { objects, writeLocalFile } = this.#options
    const { location, version } = source
    const tail = end === undefined ? Buffer.alloc(0) : endBytes(end)
    const kept = end?.offset ?? source.sizeBytes
    const sizeBytes = kept + tail.length
    const read = { version, isWhole: end === undefined }
    const chunks = followedBy(objects.readStream(location, 0, kept, read), tail)
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

type Source = Pick<ObjectInfo, 'location' | 'sizeBytes' | 'version'>

async function find(objects: ObjectStore, location: string): Promise<Source> {
  const { sizeBytes, version } = await objects.readTail(location, 0)
  return { location, sizeBytes, version }
}

function seenAs(location: string, seen: NonNullable<WantedCopy['seen']>): Source {
  return { location, sizeBytes: seen.fileSizeBytes, version: seen.version }
}

function endBytes({ footer }: NewEnd): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([footer, length, MAGIC])
}

async function* followedBy(
  chunks: AsyncIterable<Uint8Array>,
  last: Uint8Array,
): AsyncGenerator<Uint8Array> {
  yield* chunks
  if (last.length > 0) yield last
}
