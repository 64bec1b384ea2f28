import { type DatasetRecord, isUnfinished } from '../../catalog/dataset-store.ts'
import { CodedError } from '../../core/errors.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { type AskingCall, askerOf } from '../rows/limits/query-limits.ts'
import type { Asker } from './dataset-names.ts'
import { type FindDependencies, findDataset, isHiding, type NamedDataset } from './find-dataset.ts'
import { findRowsJob, inputOf } from './query-dataset.ts'

type WithdrawDependencies = FindDependencies & { readonly jobs: Jobs }

/**
 * The dataset whose rows the caller has asked for, and wants no longer: the job that makes them is
 * cancelled unless somebody else wants them. Throws the refusal where that is not for the caller.
 */
export async function withdrawDataset(
  deps: WithdrawDependencies,
  { named, refusal }: { readonly named: NamedDataset; readonly refusal: unknown },
  call: Asker & AskingCall,
): Promise<DatasetRecord> {
  const isDenied = refusal instanceof CodedError && refusal.code === 'permission-denied'
  if (!isDenied || call.principal.kind === 'anonymous') throw refusal
  const dataset = await findDataset(deps, named, call).catch((error: unknown) => {
    // Who does not even read it lacks what was asked for first.
    throw isHiding(error) ? refusal : error
  })
  const open = isUnfinished(dataset) ? await findRowsJob(deps.jobs, dataset) : undefined
  if (open === undefined || open.endedAtMs !== undefined) throw refusal
  const asker = askerOf(call)
  // Changes nothing for who has not asked.
  const { isCancelled, input } = await deps.jobs.cancel(open.jobId, asker)
  if (!isCancelled && inputOf(input).asker !== asker) throw refusal
  return dataset
}

/** Stops the job that makes the rows, whoever wants them. */
export async function stopRows(
  { jobs }: Pick<WithdrawDependencies, 'jobs'>,
  dataset: DatasetRecord,
): Promise<void> {
  const job = await findRowsJob(jobs, dataset)
  if (job !== undefined && job.endedAtMs === undefined) await jobs.cancel(job.jobId)
}
