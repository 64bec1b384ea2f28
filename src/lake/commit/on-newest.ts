import type { Ambient } from '../../core/ambient.ts'
import { CatalogError, type ErrorFacts } from '../../core/errors.ts'
import { COMMIT_ATTEMPTS_MAX } from '../../core/limits.ts'
import type { CommitMeter } from './commit-dependencies.ts'

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

/**
 * Attempts a change until it does not lose the race. Each attempt must read the newest state
 * itself. The pauses in between grow and are jittered; after `COMMIT_ATTEMPTS_MAX` attempts it is a
 * `commit-conflict`.
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
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    const result = await attempt()
    if (!(result instanceof LostRace)) return result
    meter.commitRetried()
    if (attempts === COMMIT_ATTEMPTS_MAX) throw lostTooOften({ ...result.facts, attempts })
    await ambient.sleep(ambient.random() * Math.min(2 ** attempts, PAUSE_MS_MAX))
  }
}

function lostTooOften(facts: ErrorFacts): CatalogError {
  return new CatalogError('commit-conflict', 'Other commits kept coming first: try again', {
    facts,
  })
}
