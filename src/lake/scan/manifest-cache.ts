import type { ManifestFile } from '../../core/file/data-file.ts'
import { METADATA_FILE_BYTES_MAX } from '../../core/limits.ts'
import { Turns } from '../../core/turns.ts'
import { untilStopped } from '../../core/until-stopped.ts'
import { readManifestListInTurns } from '../../formats/manifest/manifest-list.ts'
import {
  type DecodedManifest,
  decodeManifestInTurns,
} from '../../formats/manifest/manifest-reader.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** Rough heap cost of one decoded line of a manifest list. */
const MANIFEST_FILE_BYTES = 600

/** Some milliseconds of work: less than a change of threads is worth. */
const SMALL_MANIFEST_BYTES = 32 * 1024

export type DecodeManifest = (file: Uint8Array, manifest: ManifestFile) => Promise<DecodedManifest>

interface Cached {
  readonly value: unknown
  readonly bytes: number
}

export interface CacheMeter {
  manifestCacheHit(): void
  manifestCacheMiss(): void
  manifestCacheBytes(bytes: number): void
}

/**
 * Manifests and manifest lists, decoded once. They are immutable, so nothing here that was
 * committed can be stale. Bounded by bytes, least recently used first out; readers of one file
 * share one load.
 */
export class ManifestCache {
  readonly #objects: ObjectStore
  readonly #bytesMax: number
  readonly #meter: CacheMeter
  readonly #decodeAside: DecodeManifest | undefined
  readonly #cached = new Map<string, Cached>()
  readonly #loading = new Map<string, Promise<unknown>>()
  #bytes = 0

  constructor({
    objects,
    bytesMax,
    meter,
    decodeAside,
  }: {
    readonly objects: ObjectStore
    readonly bytesMax: number
    readonly meter: CacheMeter
    /** On another thread; without it, manifests are decoded between other work. */
    readonly decodeAside?: DecodeManifest | undefined
  }) {
    this.#objects = objects
    this.#bytesMax = bytesMax
    this.#meter = meter
    this.#decodeAside = decodeAside
  }

  /** The signal ends the wait, and not the load, which others may share. */
  getManifest(manifest: ManifestFile, signal?: AbortSignal): Promise<DecodedManifest> {
    // A manifest that was written for a lost race is listed again under another number, and lists
    // of a table from before version 3 give no row ids, or in each branch other ones.
    const { path, sequenceNumber, addedSnapshotId, firstRowId = '' } = manifest
    const key = `${path}#${sequenceNumber}#${addedSnapshotId}#${firstRowId}`
    const load = async () => {
      const file = this.#takeWritten(manifest.path) ?? (await this.#read(manifest.path))
      const value = await this.#decode(file, manifest)
      return { value, bytes: value.retainedBytes }
    }
    return this.#get(key, load, signal)
  }

  /** Does the same for a list. */
  getManifestList(location: string, signal?: AbortSignal): Promise<readonly ManifestFile[]> {
    const load = async () => {
      const turns = new Turns()
      const file = await this.#read(location)
      const { manifests, inflatedBytes } = await readManifestListInTurns(file, () => turns.take())
      const bytes = Math.max(inflatedBytes, manifests.length * MANIFEST_FILE_BYTES)
      return { value: manifests, bytes }
    }
    return this.#get(location, load, signal)
  }

  /** Keeps a list that this process has just written: spares reading it back. */
  rememberManifestList(location: string, manifests: readonly ManifestFile[]): void {
    this.#keep(location, { value: manifests, bytes: manifests.length * MANIFEST_FILE_BYTES })
  }

  /**
   * Keeps a manifest that this process has just written, because it will soon be merged and then
   * need not be read.
   */
  rememberManifest(location: string, file: Uint8Array): void {
    if (file.length > SMALL_MANIFEST_BYTES) return
    this.#keep(writtenKey(location), { value: file, bytes: file.length + MANIFEST_FILE_BYTES })
  }

  /**
   * Lists that were deleted again, never committed: another process may write other ones under
   * their names.
   */
  forgetManifestLists(locations: readonly string[]): void {
    for (const location of locations) this.#forget(location)
  }

  #decode(file: Uint8Array, manifest: ManifestFile): Promise<DecodedManifest> {
    if (this.#decodeAside !== undefined && file.length > SMALL_MANIFEST_BYTES) {
      return this.#decodeAside(file, manifest)
    }
    const turns = new Turns()
    return decodeManifestInTurns(file, manifest, () => turns.take())
  }

  /** Once: from then on there is what was decoded of it. */
  #takeWritten(location: string): Uint8Array | undefined {
    const written = this.#cached.get(writtenKey(location))?.value
    this.#forget(writtenKey(location))
    return written as Uint8Array | undefined
  }

  #read(location: string): Promise<Uint8Array> {
    return this.#objects.read(location, { bytesMax: METADATA_FILE_BYTES_MAX })
  }

  async #get<T>(
    key: string,
    load: () => Promise<{ value: T; bytes: number }>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted()
    const hit = this.#cached.get(key)
    if (hit !== undefined) {
      this.#meter.manifestCacheHit()
      this.#cached.delete(key)
      this.#cached.set(key, hit)
      return hit.value as T
    }
    const loading = this.#loading.get(key) ?? this.#load(key, load)
    return (await untilStopped(loading, signal)) as T
  }

  #load<T>(key: string, load: () => Promise<{ value: T; bytes: number }>): Promise<T> {
    this.#meter.manifestCacheMiss()
    const loading = load()
      .then((loaded) => {
        this.#keep(key, loaded)
        return loaded.value
      })
      .finally(() => this.#loading.delete(key))
    this.#loading.set(key, loading)
    return loading
  }

  #keep(key: string, cached: Cached): void {
    if (cached.bytes > this.#bytesMax) return
    this.#forget(key)
    this.#cached.set(key, cached)
    this.#bytes += cached.bytes
    for (const oldest of this.#cached.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      this.#forget(oldest)
    }
    this.#meter.manifestCacheBytes(this.#bytes)
  }

  #forget(key: string): void {
    const cached = this.#cached.get(key)
    if (cached === undefined) return
    this.#cached.delete(key)
    this.#bytes -= cached.bytes
  }
}

function writtenKey(location: string): string {
  return `written ${location}`
}
