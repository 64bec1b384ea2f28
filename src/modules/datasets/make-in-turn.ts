import type { CreatedDataset } from '../../catalog/dataset-store.ts'
import type { JobRecord } from '../../catalog/job-store.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { type AskingCall, askerOf, type QueryLimits } from '../rows/limits/query-limits.ts'
import { type AskedRows, findRowsJob, inputOf, KIND } from './query-dataset.ts'

/** Jobs of all callers that are looked at: with more, some of them do not count. */
const OPEN_MAX = 1_000

export interface TurnDependencies {
  readonly jobs: Jobs
  readonly limits: QueryLimits
}

/**
 * Makes a dataset whose rows a job is to make, which counts as a query of the caller until it has
 * ended, in whatever process. Throws `quota-exceeded`.
 */
export async function makeInTurn(
  { jobs, limits }: TurnDependencies,
  { call, costBytes }: { readonly call: AskingCall; readonly costBytes: number },
  make: (asked: AskedRows) => Promise<CreatedDataset>,
): Promise<CreatedDataset> {
  const asker = askerOf(call)
  const openJobs = async () =>
    (await listOpen(jobs)).filter(({ input }) => inputOf(input).asker === asker).length
  return await limits.admit({ asker, costBytes }, openJobs, async () => {
    const created = await make({ asker, costBytes })
    const { outcome, dataset } = created
    const isAhead = outcome === 'created' && dataset.state === 'queued'
    if (isAhead) {
      const isOpen = async () => {
        const job = await findRowsJob(jobs, dataset)
        return job !== undefined && job.endedAtMs === undefined
      }
      limits.reserve({ key: dataset.tableUuid, asker, costBytes }, isOpen)
    }
    return created
  })
}

async function listOpen(jobs: Jobs): Promise<readonly JobRecord[]> {
  const query = { kind: KIND, limit: OPEN_MAX }
  const waiting = await jobs.list({ ...query, state: 'waiting' })
  return [...waiting, ...(await jobs.list({ ...query, state: 'running' }))]
}
