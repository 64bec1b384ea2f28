import { CatalogError } from '../../../core/errors.ts'
import { isFresh } from '../../../core/is-fresh.ts'
import { listAllDumps } from '../dump-budget.ts'
import type { DumpDependencies } from '../dump-dependencies.ts'

/** How long a count of all dumps is good for: others may make links meanwhile. */
const COUNTED_MS = 60_000

type SpaceDependencies = Pick<DumpDependencies, 'ambient' | 'objects' | 'warehouse'>

/** A dump that a link is to be made to. */
export interface NewlyLinked {
  /** The folder of its index, with a slash at its end. */
  readonly home: string
  /** What it takes in all, at most. */
  readonly bytes: number
}

interface Count {
  readonly homes: Set<string>
  bytes: number
}

/**
 * Room for dumps that links keep, which no budget may take: while they alone take more than the
 * budget, there are no new links.
 */
export class LinkedSpace {
  readonly #deps: SpaceDependencies
  readonly #bytesMax: number
  #count: Promise<Count> | undefined
  #countedAtMs = -Infinity

  constructor(deps: SpaceDependencies, bytesMax: number) {
    this.#deps = deps
    this.#bytesMax = bytesMax
  }

  /** Throws where links take all; lists the dumps at most once a minute. */
  async requireRoom(): Promise<Count> {
    const nowMs = this.#deps.ambient.nowMs()
    if (this.#count === undefined || !isFresh(this.#countedAtMs, COUNTED_MS, nowMs)) {
      this.#countedAtMs = nowMs
      const count = this.#counted()
      this.#count = count
      count.catch(() => {
        if (this.#count === count) this.#count = undefined
      })
    }
    const count = await this.#count
    if (count.bytes > this.#bytesMax) throw noRoom(this.#bytesMax)
    return count
  }

  /** Takes the room of a dump, unless that has been taken for it. */
  async take({ home, bytes }: NewlyLinked): Promise<void> {
    const count = await this.requireRoom()
    if (count.homes.has(home)) return
    // Others may have taken it just now.
    if (count.bytes > this.#bytesMax) throw noRoom(this.#bytesMax)
    count.homes.add(home)
    count.bytes += bytes
  }

  /** With all shards of a folder where one dump is linked: which are its own, only indexes tell. */
  async #counted(): Promise<Count> {
    const { homeBytes, linked } = await listAllDumps(this.#deps)
    const kept = new Set([...linked].flatMap((home) => [home, shardsBeside(home)]))
    const bytes = [...kept].reduce((sum, home) => sum + (homeBytes.get(home) ?? 0), 0)
    return { homes: linked, bytes }
  }
}

function shardsBeside(home: string): string {
  return home.replace(/[^/]*\/$/, 'shards/')
}

function noRoom(bytesMax: number): CatalogError {
  return new CatalogError(
    'overloaded',
    'the dumps that links lead to take all of MORAINE_DUMP_BUDGET: ask with redirect=never for ' +
      'the file itself, or again when links have expired, or let the operator raise the budget',
    { facts: { bytesMax } },
  )
}
