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

/** Longest pause between two attempts. */
const PAUSE_MS_MAX = 100

export interface RaceOptions {
  /** Taken after a lost race, so that no other process comes first again. */
  readonly turn?: SharedTurn | undefined
  /**
   * Holds on whatever state the table has, so that losing a race is no conflict: attempted for
   * `raceMsMax`, then `overloaded`.
   */
  readonly isAppend?: boolean
  readonly raceMsMax?: number
}

/**
 * Attempts a change until it does not lose the race. Each attempt must read the newest state
 * itself. After a lost race it takes the table's turn among all processes; without one, the pauses
 * in between grow and are jittered. After `COMMIT_ATTEMPTS_MAX` attempts it is a `commit-conflict`.
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
  { turn, isAppend = false, raceMsMax = RACE_MS_MAX }: RaceOptions = {},
): Promise<T> {
  const giveUpAtMs = performance.now() + raceMsMax
  for (let attempts = 1; ; attempts++) {
    const result = await attempt()
    if (!(result instanceof LostRace)) return result
    meter.commitRetried()
    const facts = { ...result.facts, attempts }
    if (isAppend && performance.now() >= giveUpAtMs) throw lostTooLong(facts)
    if (!isAppend && attempts === COMMIT_ATTEMPTS_MAX) throw lostTooOften(facts)
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
  const detail = 'Commits of other processes kept coming first; nothing was committed: try again'
  return new CatalogError('overloaded', detail, { facts: { ...facts, retryAfterSeconds: 1 } })
}
