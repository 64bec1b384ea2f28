import { type DatasetRecord, isUnfinished } from '../../catalog/dataset-store.ts'
import { CodedError } from '../../core/errors.ts'
import type { Preferences, Wait } from '../../http/prefer.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import type { Call } from '../../http/route.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { datasetToJson, pathOf, statusToJson } from './dataset-response.ts'
import { type FindDependencies, findDataset, type NamedDataset, notFound } from './find-dataset.ts'
import { findRowsJob } from './query-dataset.ts'

const WAIT_SECONDS_MAX = 10
/** How long a client does well to wait before it asks again. */
export const RETRY_AFTER_SECONDS = 2

type WaitDependencies = FindDependencies & { readonly jobs: Jobs }

/** The dataset once its rows and formats are there, or as it is when the client waits no longer. */
export async function waitForRows(
  { catalog, jobs }: WaitDependencies,
  dataset: DatasetRecord,
  {
    preferences: { isAsync, waitSeconds },
    wait,
    closed,
  }: {
    readonly preferences: Preferences
    readonly wait: Wait
    readonly closed: AbortSignal
  },
): Promise<DatasetRecord> {
  if (!isUnfinished(dataset)) return dataset
  const seconds = Math.min(waitSeconds ?? (isAsync ? 0 : WAIT_SECONDS_MAX), WAIT_SECONDS_MAX)
  const job = await findRowsJob(jobs, dataset)
  const waitMs = wait.leftMs(seconds)
  if (job === undefined || waitMs === 0) return dataset
  await jobs.waitIfRoom(job.jobId, { waitMs, signal: closed })
  const { tableUuid } = dataset
  const found = await catalog.datasets.find({ tableUuid })
  if (found === undefined) throw notFound(dataset.name, String(dataset.version))
  return found
}

/** Throws what making the rows failed with. */
export function requireMade({ state, problem }: DatasetRecord): void {
  if (state !== 'failed' || problem === undefined) return
  const { code, detail, facts = {} } = problem
  throw new CodedError<ProblemCode>(code as ProblemCode, detail, { facts })
}

/** The 202 for a client that waits no longer. */
export function acceptedReply(
  { ambient }: Pick<FindDependencies, 'ambient'>,
  dataset: DatasetRecord,
  { isAsync, waitSeconds }: Preferences,
): Reply {
  const applied = [
    ...(isAsync ? ['respond-async'] : []),
    ...(waitSeconds === undefined ? [] : [`wait=${Math.min(waitSeconds, WAIT_SECONDS_MAX)}`]),
  ]
  return jsonReply(datasetToJson(dataset, ambient.nowMs()), {
    status: 202,
    headers: {
      Location: `${pathOf(dataset)}/status`,
      'Retry-After': String(RETRY_AFTER_SECONDS),
      'Cache-Control': 'no-store',
      ...(applied.length > 0 && { 'Preference-Applied': applied.join(', ') }),
    },
  })
}

/** How far a dataset is. */
export async function statusReply(
  deps: WaitDependencies,
  named: NamedDataset,
  call: Pick<Call<unknown, unknown>, 'authorize'>,
): Promise<Reply> {
  const dataset = await findDataset(deps, named, call)
  const job = isUnfinished(dataset) ? await findRowsJob(deps.jobs, dataset) : undefined
  return jsonReply(statusToJson(dataset, deps.ambient.nowMs(), job))
}
