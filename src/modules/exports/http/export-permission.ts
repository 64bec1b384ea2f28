import { mapBounded } from '../../../core/bounded.ts'
import type { Call } from '../../../http/route.ts'

const ASKED_AT_ONCE = 16

/** Everybody who has signed in may ask: answers have only the tasks that they may export. */
export const FOR_SOME_TASKS = {
  privilege: 'describe',
  on: 'namespace',
  target: (): readonly string[] => [],
} as const

/** Those of the tasks that the caller may export. */
export async function permittedTasks(
  { may }: Pick<Call<unknown, unknown>, 'may'>,
  tasks: readonly string[],
): Promise<readonly string[]> {
  const permitted = await mapBounded(tasks, ASKED_AT_ONCE, async (name) =>
    (await may('export', { on: 'export', name })) ? [name] : [],
  )
  return permitted.flat()
}
