import { runJest } from './jest-report.ts'
import { ROOT } from './places.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 60 * 60 * 1000
/** All settings of the storm of crashes together have so many; each takes some seconds. */
const KILLS = '200'
const SLICE_ROUNDS = '9'
const KEY_KILLS = '30'
const QUERIES = '500'
const STORM_SECONDS = '30'

/** The storms, several times as long as CI runs them. */
export const stormSuite: Suite = {
  name: 'Long storms',
  findObstacle: () => {
    return process.env['INTEROP_ALL'] === '1' ? undefined : 'takes long; `make interop-all` runs it'
  },
  install: async () => undefined,
  run: () =>
    runJest({
      label: 'storms',
      folder: ROOT.replace(/\/$/, ''),
      tiers: ['storm'],
      timeoutMs: TIMEOUT_MS,
      environment: {
        ...{ TEST_KILLS: KILLS, TEST_SLICE_ROUNDS: SLICE_ROUNDS },
        ...{ TEST_KEY_KILLS: KEY_KILLS, TEST_QUERIES: QUERIES },
        TEST_STORM_SECONDS: STORM_SECONDS,
      },
    }),
}
