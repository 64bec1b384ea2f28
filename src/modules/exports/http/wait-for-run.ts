import type { JobRecord } from '../../../catalog/job-store.ts'
import { parsePrefer, Wait } from '../../../http/prefer.ts'
import type { Call } from '../../../http/route.ts'
import type { ExportJobDependencies } from '../run-job.ts'

/** As long as a job is waited for. */
const WAIT_SECONDS_MAX = 60
export const WAIT_DESCRIPTION =
  'With `Prefer: wait=N` the response comes when the run has ended, or after N seconds, at most ' +
  `${WAIT_SECONDS_MAX}.`

interface WaitedFor {
  /** As it is when it has ended, or when the client waits no longer. */
  readonly job: JobRecord
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Waits from the beginning of the request. When too many wait, it throws `overloaded`, or, for who
 * has asked for the run, does not wait.
 */
export function runWait({ request, closed }: Pick<Call<unknown, unknown>, 'request' | 'closed'>) {
  const wait = new Wait()
  const { waitSeconds } = parsePrefer(request.headers['prefer'])
  const seconds = Math.min(waitSeconds ?? 0, WAIT_SECONDS_MAX)
  const headers: Readonly<Record<string, string>> =
    waitSeconds === undefined ? {} : { 'Preference-Applied': `wait=${seconds}` }
  return async (
    { jobs }: ExportJobDependencies,
    job: JobRecord,
    { hasAsked }: { readonly hasAsked: boolean },
  ): Promise<WaitedFor> => {
    const waitMs = wait.leftMs(seconds)
    if (job.endedAtMs !== undefined || waitMs === 0) return { job, headers }
    const waiting = { waitMs, signal: closed }
    if (!hasAsked) return { job: await jobs.waitForEnd(job.jobId, waiting), headers }
    const waited = await jobs.waitIfRoom(job.jobId, waiting)
    return waited === undefined ? { job, headers: {} } : { job: waited, headers }
  }
}
