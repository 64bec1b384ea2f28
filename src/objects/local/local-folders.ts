import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { invalidLocation } from '../store-errors.ts'
import { errorCodeOf, translateError } from './local-error.ts'
import { folderOf, nameOf } from './local-location.ts'
import { type LocalRoots, realPathOf } from './local-roots.ts'
import { HAS_PROC } from './proc.ts'

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY
const CREATE_ATTEMPTS = 3

/** An open folder. Names are relative to this very folder, even if its path changes. */
export class OpenFolder {
  readonly #handle: FileHandle
  readonly #base: string
  readonly #openedAs: string
  readonly #realPath: string
  #running: Promise<void> | undefined
  #waiting: Promise<void> | undefined

  constructor(handle: FileHandle, { openedAs, realPath }: { openedAs: string; realPath: string }) {
    this.#handle = handle
    this.#openedAs = openedAs
    this.#realPath = realPath
    // Node has no openat, but /proc has the same effect on Linux: no link can be slipped in
    // between.
    this.#base = HAS_PROC ? `/proc/self/fd/${handle.fd}` : realPath
  }

  /** That of the folder when it was opened; `''` for the root folder. */
  get realPath(): string {
    return this.#realPath === '/' ? '' : this.#realPath
  }

  at(name: string): string {
    return `${this.#base}/${name}`
  }

  /**
   * Makes new names durable. Calls made while one is running share the next, as in group commit.
   * Throws if the folder is no longer where it was opened, since new names are then in the wrong
   * place.
   */
  sync(): Promise<void> {
    this.#waiting ??= this.#syncAfterRunning()
    return this.#waiting
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #syncAfterRunning(): Promise<void> {
    await this.#running?.catch(() => undefined)
    this.#waiting = undefined
    this.#running = this.#syncNow()
    await this.#running
  }

  async #syncNow(): Promise<void> {
    await this.#handle.sync()
    if ((await realPathOf(this.#handle, this.#openedAs)) !== this.#realPath) {
      throw new Error(`folder ${this.#openedAs} was moved or removed during a write`)
    }
  }
}

interface SharedFolder {
  readonly opening: Promise<OpenFolder>
  users: number
}

/** Folders being written to. Concurrent writers share one handle; nothing is kept for later. */
export class LocalFolders {
  readonly #roots: LocalRoots
  readonly #shared = new Map<string, SharedFolder>()

  readonly #beforeNew: (path: string) => Promise<void>

  /** `beforeNew` throws where no folder may be created. */
  constructor(
    roots: LocalRoots,
    beforeNew: (path: string) => Promise<void> = async () => undefined,
  ) {
    this.#roots = roots
    this.#beforeNew = beforeNew
  }

  /**
   * Opens the folder for the duration of `work`. A missing one is created with `create`; otherwise
   * the result is `undefined`.
   */
  async use<T>(
    { path, location, create }: { path: string; location: string; create: boolean },
    work: (folder: OpenFolder) => Promise<T>,
  ): Promise<T | undefined> {
    this.#roots.requireInside(path, location)
    if (create) return this.#useShared(path, location, work)
    const folder = await this.#openIfThere(path, location)
    if (folder === undefined) return undefined
    return work(folder).finally(() => folder.close())
  }

  /** Makes the next `use` open the path again, because the open folder was removed. */
  forget(path: string): void {
    this.#shared.delete(path)
  }

  async #useShared<T>(
    path: string,
    location: string,
    work: (folder: OpenFolder) => Promise<T>,
  ): Promise<T> {
    let shared = this.#shared.get(path)
    if (shared === undefined) {
      shared = { opening: this.#openOrCreate(path, location), users: 0 }
      this.#shared.set(path, shared)
    }
    shared.users++
    try {
      return await work(await shared.opening)
    } finally {
      shared.users--
      if (shared.users === 0) await this.#release(path, shared)
    }
  }

  async #release(path: string, shared: SharedFolder): Promise<void> {
    if (this.#shared.get(path) === shared) this.#shared.delete(path)
    const folder = await shared.opening.catch(() => undefined)
    await folder?.close()
  }

  async #openOrCreate(path: string, location: string): Promise<OpenFolder> {
    for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
      const folder = await this.#openIfThere(path, location)
      if (folder !== undefined) return folder
      await this.#beforeNew(path)
      if (this.#roots.isRoot(path))
        throw new Error(`folder ${path} is gone: check whether its disk is mounted`)
      await this.#create(path, location)
    }
    throw invalidLocation(location, 'it leads through a dangling symbolic link')
  }

  async #create(path: string, location: string): Promise<void> {
    const parent = { path: folderOf(path), location, create: true }
    await this.use(parent, async (folder) => {
      await mkdir(folder.at(nameOf(path))).catch((error: unknown) => {
        if (errorCodeOf(error) !== 'EEXIST') throw translateError(error, 'write', location)
      })
      await folder.sync()
    })
  }

  async #openIfThere(path: string, location: string): Promise<OpenFolder | undefined> {
    const openedAs = path === '' ? '/' : path
    let handle: FileHandle
    try {
      handle = await open(openedAs, FOLDER_FLAGS)
    } catch (error) {
      await this.#roots.requireLeadsInside(path, location)
      if (errorCodeOf(error) === 'ENOENT') return undefined
      if (errorCodeOf(error) === 'ENOTDIR') {
        throw invalidLocation(location, 'there is a file where it needs a folder')
      }
      throw translateError(error, 'write', location)
    }
    try {
      const realPath = await realPathOf(handle, openedAs)
      this.#roots.requireRealInside(realPath === '/' ? '' : realPath, location)
      return new OpenFolder(handle, { openedAs, realPath: realPath ?? openedAs })
    } catch (error) {
      await handle.close()
      throw error
    }
  }
}
