import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { posix } from 'node:path'
import { type FileAccess, forbiddenLocation, missingFile } from '../store-errors.ts'
import { errorCodeOf, translateError } from './local-error.ts'
import { isWithin } from './local-location.ts'
import { READ_FLAGS } from './local-open-flags.ts'
import { HAS_PROC } from './proc.ts'

const LINKS_MAX = 40

/** A folder below which files may be used: as configured, and its real path. */
interface Root {
  readonly path: string
  readonly realPath: string
}

/** The folders below which one kind of access is allowed. */
export class LocalRoots {
  readonly #access: FileAccess
  readonly #roots: readonly Root[]
  /** Real paths of the roots. */
  readonly realPaths: readonly string[]

  private constructor(access: FileAccess, roots: readonly Root[]) {
    this.#access = access
    this.#roots = roots
    this.realPaths = roots.map((root) => root.realPath)
  }

  /**
   * Resolves paths without trailing slashes. A root that does not exist yet must not become a
   * symbolic link.
   */
  static async of(access: FileAccess, paths: readonly string[]): Promise<LocalRoots> {
    const roots = paths.map(async (path) => {
      return { path, realPath: (await followLinks(path)) ?? path }
    })
    return new LocalRoots(access, await Promise.all(roots))
  }

  /**
   * Refuses paths that are outside by name, before touching the disk, so that nothing is revealed
   * about them. A root has but the name that it was given: a file with two would be two files.
   */
  requireInside(path: string, location: string): void {
    const inside = this.#roots.some((root) => isWithin(root.path, path))
    if (!inside) throw forbiddenLocation(location, this.#access)
  }

  /**
   * The one path of a file, by its real one: below the first root that has it, as that was given.
   */
  ownPath(realPath: string): string | undefined {
    const root = this.#roots.find((each) => isWithin(each.realPath, realPath))
    return root && `${root.path}${realPath.slice(root.realPath.length)}`
  }

  isRoot(path: string): boolean {
    return this.#roots.some((root) => root.path === path)
  }

  /**
   * Refuses a real path outside the roots. `realPath` has no symbolic links; `undefined` if it
   * could not be determined.
   */
  requireRealInside(realPath: string | undefined, location: string): void {
    if (realPath !== undefined && this.#roots.some((r) => isWithin(r.realPath, realPath))) return
    throw forbiddenLocation(location, this.#access)
  }

  /** Refuses an unreachable path that would have been outside. Follows dangling links. */
  async requireLeadsInside(path: string, location: string): Promise<void> {
    this.requireRealInside(await followLinks(path), location)
  }

  /**
   * Follows every link and checks that it stays inside. Throws `file-not-found` if nothing is
   * there.
   */
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

  /** Opens a plain file, which is inside even if links changed in between. The caller closes it. */
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

/** The real path of an open file or folder, which was opened as `path`. */
export async function realPathOf(handle: FileHandle, path: string): Promise<string | undefined> {
  if (!HAS_PROC) return realPathByIdentity(handle, path)
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  } catch {
    return realPathByIdentity(handle, path)
  }
}

/** Without /proc: the real path of `path`, if it still names what was opened. */
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
 * Where `path` leads. Unlike realpath, it also accepts missing or unreachable parts: from there on
 * the path is taken verbatim. So `/in/link/x`, with `link` → `/out/none`, gives `/out/none/x`.
 * `undefined` if there are too many links.
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
