import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ambient } from '../../../src/core/ambient.ts'

export const realAmbient: Ambient = {
  nowMs: () => Date.now(),
  newUuid: () => randomUUID(),
  sleep: (ms) => sleep(ms),
  random: () => Math.random(),
}

const PATIENCE_MS = 20_000

/** Looks again and again: what happens in the background has no end to wait for. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const endMs = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error('it did not happen in time')
    await sleep(5)
  }
}
