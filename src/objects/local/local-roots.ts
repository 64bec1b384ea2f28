import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { posix } from 'node:path'
import {
  errorCodeOf,
  type FileAccess,
  forbiddenLocation,
  missingFile,
  translateError,
} from './local-error.ts'
import { isWithin } from './local-location.ts'
import { READ_FLAGS } from './local-open-flags.ts'

const LINKS_MAX = 40

/** A folder below which files may be used: as it was named, and where that leads. */
interface Root {
  readonly path: string
  readonly realPath: string
}

/** The folders below which one kind of access is allowed. */
export class LocalRoots {
  readonly #access: FileAccess
  readonly #roots: readonly Root[]
  /** Where the roots lead. */
  readonly realPaths: readonly string[]

  private constructor(access: FileAccess, roots: readonly Root[]) {
    this.#access = access
    this.#roots = roots
    this.realPaths = roots.map((root) => root.realPath)
  }

  /** Paths without a slash at their end. A root that does not exist yet must not become a symbolic link. */
  static async of(access: FileAccess, paths: readonly string[]): Promise<LocalRoots> {
    const roots = paths.map(async (path) => {
      return { path, realPath: (await followLinks(path)) ?? path }
    })
    return new LocalRoots(access, await Promise.all(roots))
  }

  /** Before anything is looked at: what lies outside by name stays untouched, so answers tell nothing of it. */
  requireInside(path: string, location: string): void {
    const inside = this.#roots.some((r) => isWithin(r.path, path) || isWithin(r.realPath, path))
    if (!inside) throw forbiddenLocation(location, this.#access)
  }

  isRoot(path: string): boolean {
    return this.#roots.some((root) => root.path === path || root.realPath === path)
  }

  /** `realPath` has no symbolic link in it; `undefined` is one that could not be found out. */
  requireRealInside(realPath: string | undefined, location: string): void {
    if (realPath !== undefined && this.#roots.some((r) => isWithin(r.realPath, realPath))) return
    throw forbiddenLocation(location, this.#access)
  }

  /** Of something that could not be reached: whether it would have been inside. Follows links that lead nowhere. */
  async requireLeadsInside(path: string, location: string): Promise<void> {
    this.requireRealInside(await followLinks(path), location)
  }

  /** Every link followed and found to stay inside. Throws `file-not-found` when nothing is there. */
  async resolve(path: string, location: string): Promise<string> {
    this.requireInside(path, location)
    try {
      const real = await realpath(path === '' ? '/' : path)
      this.requireRealInside(real === '/' ? '' : real, location)
      return real
    } catch (error) {
      await this.requireLeadsInside(path, location)
      if (errorCodeOf(error) === 'ELOOP') throw missingFile(location)
      throw translateError(error, this.#access, location)
    }
  }

  /** The caller closes it. What was opened is a plain file, and is inside even if links changed meanwhile. */
  async openFile(path: string, location: string): Promise<FileHandle> {
    const real = await this.resolve(path, location)
    let handle: FileHandle
    try {
      handle = await open(real, READ_FLAGS)
    } catch (error) {
      if (errorCodeOf(error) === 'ELOOP') throw forbiddenLocation(location, this.#access)
      throw translateError(error, this.#access, location)
    }
    try {
      this.requireRealInside(await realPathOf(handle, real), location)
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }
}

/** Where an open file or folder truly is. `path` is what it was opened as. */
export async function realPathOf(handle: FileHandle, path: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return realPathByIdentity(handle, path)
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  } catch {
    return realPathByIdentity(handle, path)
  }
}

/** Without /proc: the real path of what `path` names now, if that is still the thing that was opened. */
export async function realPathByIdentity(
  handle: FileHandle,
  path: string,
): Promise<string | undefined> {
  const real = await realpath(path)
  const [opened, named] = await Promise.all([
    handle.stat({ bigint: true }),
    lstat(real, { bigint: true }),
  ])
  return opened.dev === named.dev && opened.ino === named.ino ? real : undefined
}

/**
 * Where `path` leads. Unlike realpath it also answers for what is missing or out of reach: from there on the path is
 * taken as written. So `/in/link/x`, with `link` → `/out/none`, gives `/out/none/x`. `undefined`: too many links.
 */
async function followLinks(path: string): Promise<string | undefined> {
  let reached = ''
  let ahead = path.split('/').filter(isStep)
  for (let links = 0; ahead.length > 0; ) {
    const [step, ...rest] = ahead as [string, ...string[]]
    ahead = rest
    if (step === '..') {
      reached = reached.slice(0, Math.max(0, reached.lastIndexOf('/')))
      continue
    }
    const next = `${reached}/${step}`
    const target = await linkTarget(next)
    if (target === 'unreachable') return posix.normalize([next, ...rest].join('/'))
    if (target === 'not-a-link') {
      reached = next
      continue
    }
    links++
    if (links > LINKS_MAX) return undefined
    if (target.path.startsWith('/')) reached = ''
    ahead = [...target.path.split('/').filter(isStep), ...rest]
  }
  return reached
}

function isStep(segment: string): boolean {
  return segment !== '' && segment !== '.'
}

async function linkTarget(
  path: string,
): Promise<{ readonly path: string } | 'not-a-link' | 'unreachable'> {
  try {
    return { path: await readlink(path) }
  } catch (error) {
    return errorCodeOf(error) === 'EINVAL' ? 'not-a-link' : 'unreachable'
  }
}
