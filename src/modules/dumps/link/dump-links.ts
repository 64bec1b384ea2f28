import { createHash } from 'node:crypto'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { CatalogError } from '../../../core/errors.ts'
import { isFresh } from '../../../core/is-fresh.ts'
import { deleteUnchanged } from '../../../lake/file/delete-unchanged.ts'
import { newClosing } from '../../../lake/jobs/closing.ts'
import { Lease } from '../../../lake/jobs/lease.ts'
import type { LinkWish, ObjectLinks } from '../../../objects/object-links.ts'
import type { DumpDependencies } from '../dump-dependencies.ts'
import { readPieces } from '../dump-digest.ts'
import {
  allDumpsFolder,
  type DumpTarget,
  indexLocation,
  joinedLocation,
  mediaTypeOf,
} from '../dump-key.ts'
import { homeOf } from '../format/dump-home.ts'
import type { DumpIndex } from '../format/dump-index.ts'
import { linkMark } from '../format/link-mark.ts'
import type { SourceWatch } from '../source/source-watch.ts'
import { LinkedSpace } from './linked-space.ts'

/** Each reads and writes a dump, where the store cannot join it by itself. */
const JOINS_MAX = 2
const FAILURES_KEPT_MAX = 1_000
const MARKS_KEPT_MAX = 10_000
const FAILED_MS = 60_000

type LinkDependencies = Pick<
  DumpDependencies,
  'ambient' | 'catalog' | 'log' | 'objects' | 'warehouse'
> & {
  readonly links: ObjectLinks
  readonly watch: SourceWatch
}

export interface LinkOptions {
  readonly expiresInSeconds: number
  /** The budget of all dumps: while links keep more, there are no new ones. */
  readonly bytesMax?: number | undefined
}

/** A finished dump, and where it is asked for. */
export interface LinkedDump {
  readonly target: DumpTarget
  readonly index: DumpIndex
}

export interface DumpLink {
  /** A secret: whoever has it may read the dump. */
  readonly url: string
  readonly expiresInSeconds: number
}

/**
 * Links to dumps in buckets. A dump of several pieces is joined to one object beside its index,
 * which any process finds there; one piece that is a whole object is the dump already.
 */
export class DumpLinks {
  readonly #deps: LinkDependencies
  readonly #expiresInSeconds: number
  readonly #joining = new Map<string, Promise<string>>()
  readonly #failed = new BoundedMap<string, { readonly atMs: number; readonly error: unknown }>(
    FAILURES_KEPT_MAX,
  )
  readonly #marked = new BoundedMap<string, true>(MARKS_KEPT_MAX)
  readonly #closing = newClosing()
  readonly #space: LinkedSpace

  /** With 0 seconds, there are none. */
  constructor(deps: LinkDependencies, { expiresInSeconds, bytesMax }: LinkOptions) {
    this.#deps = deps
    this.#expiresInSeconds = expiresInSeconds
    this.#space = new LinkedSpace(deps, bytesMax ?? Infinity)
  }

  /** Whether the dumps of this service can have links; asks nobody. */
  get areMade(): boolean {
    const { links, warehouse } = this.#deps
    return this.#expiresInSeconds > 0 && links.canLink(`${allDumpsFolder(warehouse)}/any`)
  }

  /** The dump as one object of a store that links, if there is one; looks each time. */
  async find({ target, index }: LinkedDump): Promise<string | undefined> {
    for (const location of [this.#wholePiece(index), this.#joinedLocation(target, index)]) {
      if (location === undefined) continue
      const info = await this.#deps.objects.find(location)
      if (info?.sizeBytes === index.lengthBytes) return location
    }
    return undefined
  }

  /** Makes the dump one object, unless that is done; `undefined` if too many are being made. */
  join(dump: LinkedDump): Promise<string> | undefined {
    const location = this.#joinedLocation(dump.target, dump.index)
    const running = this.#joining.get(location)
    if (running !== undefined) return running
    const failed = this.#failed.get(location)
    if (failed !== undefined && isFresh(failed.atMs, FAILED_MS, this.#deps.ambient.nowMs())) {
      return Promise.reject(failed.error)
    }
    if (this.#joining.size >= JOINS_MAX || this.#closing.signal.aborted) return undefined
    const done = this.#join(dump, location)
      .catch((error: unknown) => {
        this.#failed.set(location, { atMs: this.#deps.ambient.nowMs(), error })
        if (!this.#closing.signal.aborted) {
          this.#deps.log.warn({ err: error, location }, 'a dump could not be joined')
        }
        throw error
      })
      .finally(() => this.#joining.delete(location))
    // Whoever waits for it sees the failure; nobody may.
    done.catch(() => undefined)
    this.#joining.set(location, done)
    return done
  }

  /** Throws if no link can be made to it now, whatever is joined. */
  async requireRoom({ target }: LinkedDump): Promise<void> {
    if (this.#marked.get(this.#markOf(target)) === undefined) await this.#space.requireRoom()
  }

  #markOf(target: DumpTarget): string {
    const { ambient, warehouse } = this.#deps
    const untilMs = ambient.nowMs() + this.#expiresInSeconds * 1_000
    return linkMark(indexLocation(warehouse, target), untilMs)
  }

  /** A link to what `find` has found; the dump is kept until it expires. */
  async linkTo(
    location: string,
    { target, index }: LinkedDump,
    { as, method }: { readonly as: string; readonly method: LinkWish['method'] },
  ): Promise<DumpLink> {
    const { links, objects } = this.#deps
    const expiresInSeconds = this.#expiresInSeconds
    const mark = this.#markOf(target)
    if (this.#marked.get(mark) === undefined) {
      const copies = location === this.#wholePiece(index) ? 1 : 2
      const bytes = copies * index.lengthBytes
      await this.#space.take({ home: homeOf(mark), bytes })
      await objects.putIfAbsent(mark, new Uint8Array())
      this.#marked.set(mark, true)
    }
    const asFile = { contentDisposition: as, contentType: mediaTypeOf(index) }
    const url = await links.signedUrl(location, { method, expiresInSeconds, ...asFile })
    return { url, expiresInSeconds }
  }

  async close(): Promise<void> {
    this.#closing.abort(new CatalogError('overloaded', 'the service is shutting down'))
    await Promise.allSettled(this.#joining.values())
  }

  /** The location of the only piece, if that is a whole object as far as the index knows. */
  #wholePiece({ pieces }: DumpIndex): string | undefined {
    const [piece, ...others] = pieces.filter(({ lengthBytes }) => lengthBytes > 0)
    const isWhole = piece !== undefined && others.length === 0 && piece.offset === 0
    return isWhole && this.#deps.links.canLink(piece.location) ? piece.location : undefined
  }

  #joinedLocation(target: DumpTarget, index: DumpIndex): string {
    return joinedLocation(indexLocation(this.#deps.warehouse, target), index)
  }

  async #join(dump: LinkedDump, location: string): Promise<string> {
    const { objects, links } = this.#deps
    const { signal: closing } = this.#closing
    const lease = await Lease.acquire(this.#deps, { name: `join ${location}`, signal: closing })
    const { signal } = lease
    try {
      const there = await objects.find(location)
      if (there?.sizeBytes === dump.index.lengthBytes) return location
      if (there !== undefined) await deleteUnchanged(objects, there)
      const { pieces } = dump.index
      const confirm = () => this.#requireUnchanged(dump.index)
      const outcome = await links.join(pieces, location, { signal, confirm })
      if (outcome === 'not-joinable') await this.#putThrough(dump.index, location, signal)
      return location
    } finally {
      await lease.release()
    }
  }

  /** The bytes that the digest is of, or none. */
  async #putThrough(index: DumpIndex, location: string, signal: AbortSignal): Promise<void> {
    const { objects } = this.#deps
    const { pieces, lengthBytes, sha256 } = index
    const checked = (async function* () {
      const digest = createHash('sha256')
      for await (const chunk of readPieces(objects, pieces, signal)) {
        digest.update(chunk)
        yield chunk
      }
      if (digest.digest('hex') === sha256) return
      throw new Error('the pieces of a dump are no longer what its digest is of')
    })()
    await objects.putStreamIfAbsent(location, checked, {
      bytesMax: lengthBytes,
      sizeBytes: lengthBytes,
    })
  }

  async #requireUnchanged(index: DumpIndex): Promise<void> {
    const { watch } = this.#deps
    const paths = new Set(index.pieces.map(({ location }) => location))
    for (const path of paths) await watch.requireUnchangedSince(index, path)
  }
}
