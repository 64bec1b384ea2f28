import { randomUUID } from 'node:crypto'
import { Slots } from '../../core/bounded.ts'
import type { OpenFile } from '../../core/open-file.ts'
import type {
  Expected,
  FolderSweepOptions,
  LinkedObject,
  ObjectInfo,
  ObjectStore,
  ObjectTail,
  StreamLimits,
  StreamOptions,
  SweepOptions,
} from '../object-store.ts'
import { keepingErrors, SourceError } from '../source-error.ts'
import { isNotFound, isReplaced, replacedFile, tooLarge } from '../store-errors.ts'
import type { BucketClient, ObjectState, StoreFault, UploadsPage } from './bucket-client.ts'
import { bucketError } from './bucket-error.ts'
import {
  type BucketLocations,
  type BucketPlace,
  BucketRoots,
  isUsableKey,
  prefixOf,
} from './bucket-location.ts'
import { BucketRequests } from './bucket-requests.ts'
import { inOnePiece, joined } from './joined-chunks.ts'
import { UPLOAD_STALL_MS_MAX, watchedUpload } from './watched-upload.ts'

/** Longer objects are put in parts, each of which may be tried again. */
const PUT_BYTES_MAX = 8 * 1024 * 1024
/** Longer ones take a store more time to copy than one attempt has. */
const COPY_BYTES_MAX = 128 * 1024 * 1024
/**
 * In this process. A library holds three parts of each; as many as there are processors, or dumps,
 * would take gigabytes.
 */
const FILES_AT_ONCE = 4
const fileSlots = new Slots(FILES_AT_ONCE)

type PutOutcome = 'written' | 'already-exists'

export interface BucketStoreOptions {
  readonly client: BucketClient
  readonly locations: BucketLocations
  /** Folders such as `gs://bucket/warehouse`; writable ones are readable, too. */
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
  /** Longer objects are copied in parts of at most as many bytes. */
  readonly copyBytesMax?: number
  /** How long an upload may take nothing. */
  readonly uploadStallMs?: number
  /** A file of this machine, closed here. */
  openFile(path: string): Promise<OpenFile>
}

/**
 * A store of objects in buckets. Creating is conditional in the store itself; a write whose answer
 * was lost is recognised by its mark, so that it is not taken for another's. A read that is cut
 * goes on where it was, in the same version.
 */
export class BucketStore implements ObjectStore {
  readonly #client: BucketClient
  readonly #readable: BucketRoots
  readonly #writable: BucketRoots
  readonly #requests: BucketRequests
  readonly #options: BucketStoreOptions
  #canRename: boolean

  constructor(options: BucketStoreOptions) {
    const { client, locations, writableRoots, readableRoots } = options
    this.#client = client
    this.#options = options
    this.#canRename = client.move !== undefined
    this.#readable = new BucketRoots('read', locations, [...writableRoots, ...readableRoots])
    this.#writable = new BucketRoots('write', locations, writableRoots)
    this.#requests = new BucketRequests(client)
  }

  requireReadable(location: string): void {
    this.#readable.placeOfObject(location)
  }

  async putIfAbsent(location: string, bytes: Uint8Array): Promise<PutOutcome> {
    const place = this.#writable.placeOfObject(location)
    if (bytes.byteLength > PUT_BYTES_MAX) return this.#putChunks(place, location, inOnePiece(bytes))
    return this.#put({ place, location, missing: 'bucket-missing' }, (mark) => {
      return this.#requests.askPlainly((signal) => this.#client.put(place, bytes, { mark, signal }))
    })
  }

  async putStreamIfAbsent(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    { bytesMax, sizeBytes: knownBytes }: StreamLimits,
  ): Promise<{ readonly outcome: PutOutcome; readonly sizeBytes: number }> {
    const place = this.#writable.placeOfObject(location)
    const most = knownBytes ?? Math.min(bytesMax, this.#client.streamBytesMax)
    let sizeBytes = 0
    async function* counted() {
      for await (const chunk of chunks) {
        sizeBytes += chunk.byteLength
        if (sizeBytes > most) throw tooLarge(location, most)
        yield chunk
      }
    }
    const outcome = await this.#putChunks(place, location, counted(), knownBytes)
    return { outcome, sizeBytes }
  }

  async putFileIfAbsent(location: string, path: string): Promise<PutOutcome> {
    const place = this.#writable.placeOfObject(location)
    return fileSlots.use(async () => {
      const file = await this.#options.openFile(path)
      try {
        return await this.#putChunks(place, location, file.chunks(), file.sizeBytes)
      } finally {
        await file.close()
      }
    })
  }

  async read(location: string, { bytesMax }: { readonly bytesMax: number }): Promise<Uint8Array> {
    const place = this.#readable.placeOfObject(location)
    const body = await this.#requests.get(place, location, {})
    const { sizeBytes: end, version } = body
    if (end > bytesMax) {
      body.chunks.destroy()
      throw tooLarge(location, bytesMax)
    }
    return joined(end, this.#requests.read({ place, location, offset: 0, end, version }, body))
  }

  async *readStream(
    location: string,
    offset: number,
    lengthBytes: number,
    { version, isWhole }: StreamOptions = {},
  ): AsyncIterable<Uint8Array> {
    const place = this.#readable.placeOfObject(location)
    if (lengthBytes === 0) {
      const found = await this.#requests.head(place, location)
      if (version !== undefined && found.version !== version) throw replacedFile(location)
      return
    }
    yield* this.#requests.read({
      place,
      location,
      offset,
      end: offset + lengthBytes,
      version,
      isWhole,
    })
  }

  async findLocalPath(location: string): Promise<string | undefined> {
    this.#readable.placeOfObject(location)
    return undefined
  }

  async readRange(location: string, offset: number, bytesMax: number): Promise<Uint8Array> {
    const place = this.#readable.placeOfObject(location)
    if (bytesMax === 0) {
      await this.#requests.head(place, location)
      return new Uint8Array()
    }
    const range = { offset, lengthBytes: bytesMax }
    const body = await this.#requests.getIfWithin(place, location, range)
    if (body === undefined) return new Uint8Array()
    const end = Math.min(offset + bytesMax, body.sizeBytes)
    const { version } = body
    return joined(
      end - offset,
      this.#requests.read({ place, location, offset, end, version }, body),
    )
  }

  async readTail(location: string, bytesMax: number): Promise<ObjectTail> {
    const place = this.#readable.placeOfObject(location)
    const body =
      bytesMax === 0
        ? undefined
        : await this.#requests.getIfWithin(place, location, { lastBytes: bytesMax })
    if (body === undefined) {
      const { sizeBytes, modifiedAtMs, version } = await this.#requests.head(place, location)
      return { location, bytes: new Uint8Array(), sizeBytes, modifiedAtMs, version }
    }
    const { sizeBytes, modifiedAtMs, version } = body
    const offset = Math.max(0, sizeBytes - bytesMax)
    const chunks = this.#requests.read({ place, location, offset, end: sizeBytes, version }, body)
    const bytes = await joined(sizeBytes - offset, chunks)
    return { location, bytes, sizeBytes, modifiedAtMs, version }
  }

  async find(location: string): Promise<ObjectInfo | undefined> {
    const place = this.#readable.placeOfObject(location)
    try {
      const { sizeBytes, modifiedAtMs, version } = await this.#requests.head(place, location)
      return { location, sizeBytes, modifiedAtMs, version }
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** No bucket has links. */
  async findLinked(): Promise<LinkedObject | undefined> {
    return undefined
  }

  async *list(folder: string): AsyncIterable<ObjectInfo> {
    const { bucket, key } = this.#readable.placeOfFolder(folder)
    const prefix = prefixOf(key)
    const above = folder.endsWith('/') ? folder : `${folder}/`
    let page: string | undefined
    do {
      const from = page
      const found = await this.#requests.ask(
        folder,
        (signal) => this.#client.list(bucket, prefix, { signal, page: from }),
        // Of a folder, it can be nothing else.
        { missing: 'bucket-missing' },
      )
      for (const { key: each, sizeBytes, modifiedAtMs, version } of found.objects) {
        if (!isUsableKey(each)) continue
        yield { location: above + each.slice(prefix.length), sizeBytes, modifiedAtMs, version }
      }
      page = found.next
    } while (page !== undefined)
  }

  async moveIfAbsent(from: string, to: string): Promise<'moved' | 'already-exists'> {
    const source = this.#writable.placeOfObject(from)
    const target = this.#writable.placeOfObject(to)
    // Not every store knows conditional copies.
    const [state, taken] = await Promise.all([this.#requests.head(source, from), this.find(to)])
    if (taken !== undefined) return 'already-exists'
    const { version, sizeBytes, mark: sourceMark } = state
    const isNear = source.bucket === target.bucket
    // Without a mark nobody could tell afterwards what was renamed.
    const isRenamed = this.#canRename && isNear && sourceMark !== undefined
    const renamed = isRenamed ? await this.#rename(source, target, { ...state, to }) : undefined
    if (renamed !== undefined) return renamed
    const written = { place: target, location: to, from, missing: 'missing' as const }
    const partBytesMax = this.#options.copyBytesMax ?? COPY_BYTES_MAX
    const outcome = await this.#put(written, async (mark) => {
      if (sizeBytes > partBytesMax) {
        const copied = { mark, version, sizeBytes, partBytesMax }
        await this.#requests.askLong(() => this.#client.copyLong(source, target, copied))
      } else {
        await this.#requests.askPlainly((signal) => {
          return this.#client.copy(source, target, { mark, signal, version })
        })
      }
    })
    if (outcome === 'already-exists') return outcome
    // Then the store does not know how to rename, or the account may not.
    if (isRenamed) this.#canRename = false
    await this.delete(from, { version })
    return 'moved'
  }

  /** `undefined` where the object has to be copied, or where copying tells what is wrong. */
  async #rename(
    source: BucketPlace,
    target: BucketPlace,
    { version, mark, to }: ObjectState & { readonly to: string },
  ): Promise<'moved' | 'already-exists' | undefined> {
    try {
      await this.#requests.askPlainly(async (signal) => {
        await this.#client.move?.(source, target, { signal, version })
      })
      return 'moved'
    } catch (error) {
      const fault = this.#requests.explain(error)
      if (fault === 'busy') throw bucketError(error, fault, to)
      const found = await this.#requests.head(target, to).catch((missing: unknown) => {
        if (isNotFound(missing)) return undefined
        throw missing
      })
      // An earlier try may have renamed it, and its answer may have been lost.
      if (found !== undefined) return found.mark === mark ? 'moved' : 'already-exists'
      return undefined
    }
  }

  async delete(location: string, { version }: Expected = {}): Promise<void> {
    const place = this.#writable.placeOfObject(location)
    try {
      await this.#requests.ask(location, (signal) =>
        this.#client.delete(place, { signal, version }),
      )
    } catch (error) {
      if (isNotFound(error)) return
      // What is not there has no version, either, as after a delete whose answer was lost.
      const isGone = isReplaced(error) && (await this.find(location)) === undefined
      if (!isGone) throw error
    }
  }

  async deleteUnfinished(folder: string, sweep: SweepOptions): Promise<number> {
    const { bucket, key } = this.#writable.placeOfFolder(folder)
    let count = 0
    let page: UploadsPage['next']
    do {
      sweep.signal.throwIfAborted()
      const from = page
      const { uploads, next } = await this.#requests.ask(folder, (signal) => {
        return this.#client.listUploads(bucket, prefixOf(key), { signal, page: from })
      })
      for (const { key: each, uploadId, beganAtMs } of uploads) {
        if (beganAtMs >= sweep.beforeMs) continue
        sweep.signal.throwIfAborted()
        const given = { bucket, key: each }
        await this.#requests.ask(folder, (signal) => {
          return this.#client.abortUpload(given, { signal, uploadId })
        })
        count += 1
      }
      page = next
    } while (page !== undefined)
    return count
  }

  /** A bucket has no folders. */
  async makeFolder(folder: string): Promise<void> {
    this.#writable.placeOfFolder(folder)
  }

  async deleteEmptyFolders(folder: string, _options: FolderSweepOptions): Promise<number> {
    this.#writable.placeOfFolder(folder)
    return 0
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  async #putChunks(
    place: BucketPlace,
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    sizeBytes?: number,
  ): Promise<PutOutcome> {
    return this.#put({ place, location, missing: 'bucket-missing' }, (mark) => {
      const { uploadStallMs = UPLOAD_STALL_MS_MAX } = this.#options
      return this.#requests.askLong(() =>
        watchedUpload(keepingErrors(chunks), uploadStallMs, (watched, signal) =>
          this.#client.putStream(place, watched, { mark, signal, sizeBytes }),
        ),
      )
    })
  }

  async #put(written: Written, work: (mark: string) => Promise<void>): Promise<PutOutcome> {
    const mark = randomUUID()
    try {
      await work(mark)
      return 'written'
    } catch (error) {
      if (error instanceof SourceError) throw error.cause
      return this.#outcomeOf(error, { ...written, mark })
    }
  }

  /** An earlier try may have written the object, and its answer may have been lost. */
  async #outcomeOf(
    error: unknown,
    { place, location, from = location, mark, missing }: Written & { readonly mark: string },
  ): Promise<PutOutcome> {
    const fault = this.#requests.explain(error)
    if (fault === 'missing') throw bucketError(error, missing, from)
    const isSettled = fault === 'precondition' || fault === 'upload-gone'
    if (!isSettled) throw bucketError(error, fault, location)
    const found = await this.#requests.head(place, location).catch((unseen: unknown) => {
      throw isNotFound(unseen) ? bucketError(error, fault, from) : unseen
    })
    return found.mark === mark ? 'written' : 'already-exists'
  }
}

interface Written {
  readonly place: BucketPlace
  readonly location: string
  /** What it is a copy of. */
  readonly from?: string
  /** What it means that the store did not find something. */
  readonly missing: StoreFault
}
