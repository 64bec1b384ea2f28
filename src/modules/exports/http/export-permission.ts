import { mapBounded } from '../../../core/bounded.ts'
import { CodedError } from '../../../core/errors.ts'
import type { Call, Route } from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import type { TaskFolder } from '../task-folder.ts'

const ASKED_AT_ONCE = 16
const NAMED_MAX = 20

interface Tasks {
  readonly folder: TaskFolder
}

/** Everybody who has signed in may ask: answers have only the tasks that they may export. */
export const FOR_SOME_TASKS = {
  privilege: 'describe',
  on: 'namespace',
  target: (): readonly string[] => [],
} as const

/** The tasks that the caller may export. */
export async function permittedTasks(
  { folder }: Tasks,
  { may }: Pick<Call<unknown, unknown>, 'may'>,
): Promise<readonly string[]> {
  const permitted = await mapBounded(await folder.list(), ASKED_AT_ONCE, async (name) =>
    (await may('export', { on: 'export', name })) ? [name] : [],
  )
  return permitted.flat()
}

/**
 * The tasks named, which the caller may export, each once; all that they may export when none are.
 * Throws as `authorize`.
 */
export async function namedTasks(
  tasks: Tasks,
  call: Pick<Call<unknown, unknown>, 'authorize' | 'may'>,
  names: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (names === undefined) return permittedTasks(tasks, call)
  const targets = names.map((name) => ({ on: 'export', name }) as const)
  await call.authorize('export', targets)
  return [...new Set(names)]
}

/**
 * The route, which tells callers that name no task which there are that they may export, or that
 * nobody knows.
 */
export function namingTasks(route: Route, tasks: Tasks): Route {
  const { problems } = route
  if (!problems.includes('export-not-found')) return route
  return {
    ...route,
    problems: [...problems, 'exports-unreadable'],
    handle: async (call) => {
      try {
        return await route.handle(call)
      } catch (error) {
        if (!(error instanceof CodedError && error.code === 'export-not-found')) throw error
        throw withNames(error, await permittedTasks(tasks, call))
      }
    },
  }
}

function withNames({ message, facts }: CodedError<string>, names: readonly string[]): Error {
  const exports = names.slice(0, NAMED_MAX)
  const others = names.length - exports.length
  const more = others > 0 ? ` and ${others} more` : ''
  const which =
    names.length === 0 ? 'there is no other that you may export' : `there are ${exports.join(', ')}`
  return new ProblemError('export-not-found', `${message}: ${which}${more}`, {
    facts: { ...facts, exports },
  })
}
