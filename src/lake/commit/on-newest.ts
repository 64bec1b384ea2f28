import type { Ambient } from '../../core/ambient.ts'
import { CatalogError, type ErrorFacts } from '../../core/errors.ts'
import { COMMIT_ATTEMPTS_MAX, RACE_MS_MAX } from '../../core/limits.ts'
import type { CommitMeter } from './commit-dependencies.ts'
import type { SharedTurn } from './shared-turns.ts'

/** What an attempt returns when another commit came first and it changed nothing. */
export class LostRace {
  /** Told to the client when the last attempt is lost, too. */
  readonly facts: ErrorFacts

  constructor(facts: ErrorFacts = {}) {
    this.facts = facts
  }
}

/** However long they take, since the later ones have a turn. */
const ATTEMPTS_MIN = 3
/** Longest pause between two attempts. */
const PAUSE_MS_MAX = 100

export interface RaceOptions {
  /** Taken after a lost race, so that no other process comes first again. */
  readonly turn?: SharedTurn | undefined
  /**
   * Whether the last of `COMMIT_ATTEMPTS_MAX` lost races is a `commit-conflict`: clients of Iceberg
   * take it for what it is in a commit, and read and try again.
   */
  readonly isConflict?: boolean
  readonly raceMsMax?: number
}

/**
 * Attempts a change until it does not lose the race. Each attempt must read the newest state
 * itself, and refuse what does not hold on it any more: so losing a race is no conflict. After one
 * it takes the turn among all processes; without it, the pauses in between grow and are jittered.
 * After `raceMsMax`, and three attempts, it is `overloaded`.
 */
export async function onNewest<T>(
  {
    ambient,
    meter,
  }: {
    readonly ambient: Pick<Ambient, 'sleep' | 'random'>
    readonly meter: Pick<CommitMeter, 'commitRetried'>
  },
  attempt: () => Promise<T | LostRace>,
  { turn, isConflict = false, raceMsMax = RACE_MS_MAX }: RaceOptions = {},
): Promise<T> {
  const giveUpAtMs = performance.now() + raceMsMax
  for (let attempts = 1; ; attempts++) {
    const result = await attempt()
    if (!(result instanceof LostRace)) return result
    meter.commitRetried()
    const facts = { ...result.facts, attempts }
    if (isConflict && attempts === COMMIT_ATTEMPTS_MAX) throw lostTooOften(facts)
    if (attempts >= ATTEMPTS_MIN && performance.now() >= giveUpAtMs) throw lostTooLong(facts)
    if (await turn?.afterLostRace()) continue
    await ambient.sleep(ambient.random() * Math.min(2 ** attempts, PAUSE_MS_MAX))
  }
}

function lostTooOften(facts: ErrorFacts): CatalogError {
  return new CatalogError('commit-conflict', 'Other commits kept coming first: try again', {
    facts,
  })
}

function lostTooLong(facts: ErrorFacts): CatalogError {
  const detail = 'Changes of other processes kept coming first; nothing was changed: try again'
  return new CatalogError('overloaded', detail, { facts: { ...facts, retryAfterSeconds: 1 } })
}
