import { readConfig } from '../../src/config.ts'
import { listModules } from '../../src/modules.ts'
import { openPlatform } from '../../src/service.ts'

const DAY_MS = 24 * 3_600_000

/** What each task of a process that starts after so many days does. */
export async function doHousekeeping(
  environment: Record<string, string>,
  days: number,
): Promise<void> {
  const nowMs = () => Date.now() + days * DAY_MS
  const platform = await openPlatform(readConfig(environment), { ambient: { nowMs } })
  const { signal } = new AbortController()
  try {
    for (const { tasks = [] } of listModules(platform)) {
      for (const task of tasks) await task.run(signal)
    }
  } finally {
    await platform.close()
  }
}
