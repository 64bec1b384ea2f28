import { randomUUID } from 'node:crypto'
import type { Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, stat, unlink } from 'node:fs/promises'
import type {
  Expected,
  FolderSweepOptions,
  LinkedObject,
  ObjectInfo,
  ObjectStore,
  ObjectTail,
  StreamOptions,
  SweepOptions,
} from '../object-store.ts'
import { keepingErrors, SourceError } from '../source-error.ts'
import { invalidLocation, isNotFound, missingFile, tooLarge } from '../store-errors.ts'
import { fresh, readAt, readInto, requireCounts, writeFully } from './local-bytes.ts'
import { errorCodeOf, isMissing, linkedLocation, notAFile, translateError } from './local-error.ts'
import { readLocalFile } from './local-file.ts'
import { LocalFolders, type OpenFolder } from './local-folders.ts'
import { discard, linkIfAbsent, moveFile, syncFile } from './local-links.ts'
import { listFiles } from './local-list.ts'
import { folderOf, nameOf, pathOfFile, pathOfFolder, temporaryName } from './local-location.ts'
import { CREATE_FLAGS } from './local-open-flags.ts'
import { findLinkedFile } from './local-own-names.ts'
import { LocalRoots } from './local-roots.ts'
import { sweepEmptyFolders, sweepTemporaryFiles } from './local-sweep.ts'
import type { LocalThreads } from './local-threads.ts'
import { requireVersion, requireVersionOf, stateOf } from './local-version.ts'
import type { ThreadOutcome, ThreadTask } from './local-worker-protocol.ts'
import { HAS_PROC } from './proc.ts'

const WRITE_ATTEMPTS = 3
const THREAD_BYTES_MAX = 1024 * 1024

const STREAM_CHUNK_BYTES = 64 * 1024
const STREAM_CHUNK_BYTES_MAX = 512 * 1024

type WriteOutcome = 'written' | 'already-exists'
interface Written {
  readonly outcome: WriteOutcome
  readonly sizeBytes: number
}
/** Writes everything to the file and returns the number of bytes. */
type Fill = (handle: FileHandle) => Promise<number>

/**
 * Opens a store of files below the given folders (absolute paths or `file:///` URIs; writable ones
 * are readable, too). Creates missing writable folders. A crash may leave `.moraine-<uuid>.tmp`
 * files, which are not objects.
 */
export async function openLocalStore({
  writableRoots,
  readableRoots,
  threads,
  beforeNewFolder = async () => undefined,
}: {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
  /** Throws to keep a folder from being created, as where a disk is not mounted. */
  readonly beforeNewFolder?: (path: string) => Promise<void>
  /** Threads for short files; not used without /proc. */
  readonly threads?: LocalThreads
}): Promise<ObjectStore> {
  const writable = writableRoots.map(pathOfFolder)
  const readable = readableRoots.map(pathOfFolder)
  for (const path of writable) await mkdir(path === '' ? '/' : path, { recursive: true })
  const roots = {
    readable: await LocalRoots.of('read', [...writable, ...readable]),
    writable: await LocalRoots.of('write', writable),
  }
  const usesThreads = threads !== undefined && HAS_PROC
  return new LocalStore({ ...roots, beforeNewFolder, ...(usesThreads && { threads }) })
}

class LocalStore implements ObjectStore {
  readonly #readable: LocalRoots
  readonly #writable: LocalRoots
  readonly #folders: LocalFolders
  readonly #threads: LocalThreads | undefined

  constructor({
    readable,
    writable,
    threads,
    beforeNewFolder,
  }: {
    readable: LocalRoots
    writable: LocalRoots
    beforeNewFolder: (path: string) => Promise<void>
    threads?: LocalThreads
  }) {
    this.#readable = readable
    this.#writable = writable
    this.#threads = threads
    this.#folders = new LocalFolders(writable, beforeNewFolder)
  }

  requireReadable(location: string): void {
    this.#readable.requireInside(pathOfFile(location), location)
  }

  async putIfAbsent(location: string, bytes: Uint8Array): Promise<WriteOutcome> {
    const path = pathOfFile(location)
    this.#writable.requireInside(path, location)
    const result = await this.#inThread(bytes.byteLength, {
      ...{ kind: 'put', folder: folderOf(path), name: nameOf(path), bytes },
      roots: this.#writable.realPaths,
      temporaryName: temporaryName(randomUUID()),
    })
    if (result?.outcome === 'written') return 'written'
    if (result?.outcome === 'failed') {
      const { code, message } = result
      throw translateError(Object.assign(new Error(message), { code }), 'write', location)
    }
    const { outcome } = await this.#write(location, (handle) => {
      return writeFully(handle, bytes).then(() => bytes.byteLength)
    })
    return outcome
  }

  async putStreamIfAbsent(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    { bytesMax }: { readonly bytesMax: number },
  ): Promise<Written> {
    return this.#write(location, async (handle) => {
      let sizeBytes = 0
      for await (const chunk of keepingErrors(chunks)) {
        sizeBytes += chunk.byteLength
        if (sizeBytes > bytesMax) throw tooLarge(location, bytesMax)
        await writeFully(handle, chunk)
      }
      return sizeBytes
    })
  }

  async putFileIfAbsent(location: string, path: string): Promise<WriteOutcome> {
    const target = pathOfFile(location)
    const place = { path: folderOf(target), location, create: true }
    await syncFile(path)
    const outcome = await this.#folders.use(place, async (folder) => {
      try {
        const linked = await linkIfAbsent(path, folder.at(nameOf(target)))
        await folder.sync()
        return linked
      } catch (error) {
        if (errorCodeOf(error) === 'EXDEV') return undefined
        throw translateError(error, 'write', location)
      }
    })
    if (outcome === 'already-exists') await this.#requireFileAt(target, location)
    if (outcome !== undefined) return outcome
    return (await this.putStreamIfAbsent(location, readLocalFile(path), { bytesMax: Infinity }))
      .outcome
  }

  async *readStream(
    location: string,
    offset: number,
    lengthBytes: number,
    { buffer, version }: StreamOptions = {},
  ): AsyncIterable<Uint8Array> {
    requireCounts(offset, lengthBytes)
    const handle = await this.#readable.openFile(pathOfFile(location), location)
    try {
      await requireVersionOf(handle, location, version)
      const end = offset + lengthBytes
      let chunkBytes = STREAM_CHUNK_BYTES
      for (let position = offset; position < end; ) {
        const length = Math.min(buffer?.byteLength ?? chunkBytes, end - position)
        const chunk = await readInto(handle, position, buffer?.subarray(0, length) ?? fresh(length))
        if (chunk.byteLength === 0) throw missingFile(location)
        position += chunk.byteLength
        yield chunk
        // A reader that asks for more is fast: larger chunks cost it less. A stalled reader holds a
        // small one.
        chunkBytes = Math.min(chunkBytes * 2, STREAM_CHUNK_BYTES_MAX)
      }
      await requireVersionOf(handle, location, version)
    } catch (error) {
      throw translateError(error, 'read', location)
    } finally {
      await handle.close()
    }
  }

  async findLocalPath(location: string): Promise<string | undefined> {
    const path = await this.#readable.resolve(pathOfFile(location), location)
    const stats = await lstat(path)
    if (!stats.isFile()) throw notAFile(location, { isFolder: stats.isDirectory() })
    return path
  }

  async read(location: string, { bytesMax }: { readonly bytesMax: number }): Promise<Uint8Array> {
    return this.#withFile(location, async (handle, sizeBytes) => {
      if (sizeBytes > bytesMax) throw tooLarge(location, bytesMax)
      return readAt(handle, 0, sizeBytes)
    })
  }

  async readRange(location: string, offset: number, bytesMax: number): Promise<Uint8Array> {
    requireCounts(offset, bytesMax)
    return this.#withFile(location, (handle, sizeBytes) => {
      return readAt(handle, offset, Math.max(0, Math.min(bytesMax, sizeBytes - offset)))
    })
  }

  async readTail(location: string, bytesMax: number): Promise<ObjectTail> {
    requireCounts(0, bytesMax)
    const path = pathOfFile(location)
    this.#readable.requireInside(path, location)
    const result = await this.#inThread(bytesMax, {
      ...{ kind: 'tail', path, bytesMax },
      roots: this.#readable.realPaths,
    })
    if (result?.outcome === 'read') {
      const { outcome: _, realPath: localPath, ...tail } = result
      return { location: this.#ownName(location, localPath), localPath, ...tail }
    }
    const localPath = await this.#readable.resolve(path, location)
    const own = this.#ownName(location, localPath)
    return this.#withFile(location, async (handle, sizeBytes, stats) => {
      const length = Math.min(bytesMax, sizeBytes)
      const bytes = await readAt(handle, sizeBytes - length, length)
      return { location: own, localPath, bytes, ...stateOf(stats) }
    })
  }

  /** As it was asked for, unless it leads through a link. */
  #ownName(location: string, realPath: string): string {
    const own = this.#readable.ownPath(realPath)
    return own === undefined || own === pathOfFile(location) ? location : `file://${own}`
  }

  async find(location: string): Promise<ObjectInfo | undefined> {
    const path = pathOfFile(location)
    try {
      const stats = await lstat(await this.#readable.resolve(path, location))
      if (!stats.isFile()) return undefined
      return { location, ...stateOf(stats) }
    } catch (error) {
      if (isMissing(error) || isNotFound(error)) return undefined
      throw translateError(error, 'read', location)
    }
  }

  findLinked(locations: readonly string[]): Promise<LinkedObject | undefined> {
    return findLinkedFile(this.#readable, this.#threads, locations)
  }

  async *list(folder: string): AsyncIterable<ObjectInfo> {
    const path = pathOfFolder(folder)
    let real: string
    try {
      real = await this.#readable.resolve(path, folder)
    } catch (error) {
      if (isNotFound(error)) return
      throw error
    }
    const prefix = folder.endsWith('/') ? folder.slice(0, -1) : folder
    yield* listFiles(real, prefix)
  }

  async moveIfAbsent(from: string, to: string): Promise<'moved' | 'already-exists'> {
    const source = pathOfFile(from)
    const target = pathOfFile(to)
    const outcome = await this.#folders.use(
      { path: folderOf(source), location: from, create: false },
      (sourceFolder) =>
        this.#folders.use({ path: folderOf(target), location: to, create: true }, (folder) =>
          moveFile(sourceFolder.at(nameOf(source)), folder.at(nameOf(target)), folder).catch(
            (error) => {
              throw isMissing(error) ? missingFile(from) : translateError(error, 'write', to)
            },
          ),
        ),
    )
    if (outcome === undefined) throw missingFile(from)
    if (outcome === 'already-exists') await this.#requireFileAt(target, to)
    return outcome
  }

  async delete(location: string, { version }: Expected = {}): Promise<void> {
    const path = pathOfFile(location)
    const place = { path: folderOf(path), location, create: false }
    await this.#folders.use(place, async (folder) => {
      // By another name, it may be a file of others.
      if (this.#readable.ownPath(folder.realPath) !== place.path) {
        throw linkedLocation(location)
      }
      try {
        const stats = await lstat(folder.at(nameOf(path)))
        if (!stats.isFile() && !stats.isSymbolicLink()) return
        requireVersion(stats, location, version)
        if (stats.isSymbolicLink()) await this.#writable.requireLeadsInside(path, location)
        await unlink(folder.at(nameOf(path)))
      } catch (error) {
        if (!isMissing(error)) throw translateError(error, 'write', location)
      }
    })
  }

  async deleteUnfinished(folder: string, options: SweepOptions): Promise<number> {
    const real = await this.#writable.resolve(pathOfFolder(folder), folder)
    return sweepTemporaryFiles(real, options)
  }

  async makeFolder(folder: string): Promise<void> {
    const place = { path: pathOfFolder(folder), location: folder, create: true }
    await this.#folders.use(place, async () => undefined)
  }

  async deleteEmptyFolders(folder: string, options: FolderSweepOptions): Promise<number> {
    const real = await this.#writable.resolve(pathOfFolder(folder), folder)
    return sweepEmptyFolders(real, { ...options, location: folder })
  }

  /**
   * One message to a thread instead of ten calls on the event loop; for long files the copy costs
   * more.
   */
  async #inThread(byteLength: number, task: ThreadTask): Promise<ThreadOutcome | undefined> {
    return byteLength > THREAD_BYTES_MAX ? undefined : this.#threads?.run(task)
  }

  async #withFile<T>(
    location: string,
    work: (handle: FileHandle, sizeBytes: number, stats: Stats) => Promise<T>,
  ): Promise<T> {
    const handle = await this.#readable.openFile(pathOfFile(location), location)
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw notAFile(location, { isFolder: stats.isDirectory() })
      return await work(handle, stats.size, stats)
    } catch (error) {
      throw translateError(error, 'read', location)
    } finally {
      await handle.close()
    }
  }

  async #write(location: string, fill: Fill): Promise<Written> {
    const path = pathOfFile(location)
    const place = { path: folderOf(path), location, create: true }
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const written = await this.#folders.use(place, (folder) => {
        return this.#writeIn(folder, { path, location, fill })
      })
      if (written?.outcome === 'already-exists') await this.#requireFileAt(path, location)
      if (written !== undefined) return written
      this.#folders.forget(place.path)
    }
    throw new Error(`folder ${place.path} keeps being removed`)
  }

  /** Returns `undefined` if the folder was removed in between, before `fill` was called. */
  async #writeIn(
    folder: OpenFolder,
    { path, location, fill }: { path: string; location: string; fill: Fill },
  ): Promise<Written | undefined> {
    const temporary = folder.at(temporaryName(randomUUID()))
    let handle: FileHandle | undefined
    try {
      handle = await open(temporary, CREATE_FLAGS)
      const sizeBytes = await fill(handle)
      await handle.datasync()
      const outcome = await linkIfAbsent(temporary, folder.at(nameOf(path)))
      // The object is durable even while the temporary name remains, so all three run at once.
      await Promise.all([folder.sync(), unlink(temporary), handle.close()])
      return { outcome, sizeBytes }
    } catch (error) {
      if (handle === undefined && errorCodeOf(error) === 'ENOENT') return undefined
      await discard(handle, temporary)
      if (error instanceof SourceError) throw error.cause
      throw translateError(error, 'write', location)
    }
  }

  /**
   * Checks that whatever prevents a write is an object; otherwise "already exists" would be wrong.
   */
  async #requireFileAt(path: string, location: string): Promise<void> {
    await this.#writable.requireLeadsInside(path, location)
    const found = await lstat(path).catch(() => undefined)
    // One look at a file: whoever wrote it may delete it before a second one.
    if (found === undefined || found.isFile()) return
    const leadsTo = found.isSymbolicLink() ? await stat(path).catch(() => undefined) : undefined
    if (leadsTo?.isFile() !== true) {
      throw invalidLocation(location, 'something other than a file has this name')
    }
  }
}
