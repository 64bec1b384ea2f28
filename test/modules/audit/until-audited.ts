import { setTimeout as sleep } from 'node:timers/promises'
import type { TestService } from '../../http/harness.ts'

/** Resolves when every change made so far has its row, and every request that has ended. */
export async function untilAudited({ deps }: Pick<TestService, 'deps'>): Promise<void> {
  // A response ends for its client before it does for the service.
  await sleep(20)
  await deps.auditTrail.flush()
  const { last } = await deps.catalog.events.findRange()
  while (((await deps.catalog.events.findCursor('audit')) ?? -1n) < last) await sleep(20)
}
