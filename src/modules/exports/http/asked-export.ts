import type { Stores } from '../../../catalog/catalog.ts'
import { exportSecurable } from '../../../catalog/grant-store.ts'
import type { JobRecord } from '../../../catalog/job-store.ts'
import { nameOfPrincipal } from '../../../http/authorizer.ts'
import type { Call } from '../../../http/route.ts'
import type { OfAskers } from '../../../lake/jobs/job-kind.ts'
import { requireRunnable } from '../export-run.ts'
import { askForExport, type ExportJobDependencies, SCHEDULE } from '../run-job.ts'

export type AskingCall = Pick<Call<unknown, unknown>, 'origin' | 'principal'>

/**
 * Asks for a run of a task. Throws `export-not-found`, and as `requireRunnable` for a task that no
 * run could end well.
 */
export async function askForRun(
  service: ExportJobDependencies & Stores<'events'>,
  call: AskingCall,
  task: string,
): Promise<JobRecord> {
  await requireRunnable(service, await service.folder.read(task))
  await noteAsked(service, call, { task, asked_for: 'run' })
  const asker = nameOfPrincipal(call.principal)
  return askForExport(service.jobs, { task, asker })
}

/** A run as a job: who may export the task sees, and withdraws, what its schedule asked for. */
export function askersOfExports(service: Stores<'events'>): OfAskers {
  return {
    schedule: SCHEDULE,
    permission: ({ key }) => ({ privilege: 'export', on: 'export', name: key }),
    noteCancel: ({ jobId, key }, origin) =>
      noteAsked(service, { origin }, { task: key, asked_for: 'cancel', run_id: jobId }),
  }
}

/** For the audit, before it is done: runs and schedules are in no transaction of the catalog. */
export async function noteAsked(
  { catalog }: Stores<'events'>,
  { origin }: Pick<AskingCall, 'origin'>,
  data: {
    readonly task: string
    readonly asked_for: 'run' | 'cancel' | 'pause' | 'resume'
    readonly run_id?: string
  },
): Promise<void> {
  const { task } = data
  const event = { subject: exportSecurable(task), name: task, data }
  await catalog.events.raise({ ...event, type: 'moraine.export.asked.v1' }, origin)
}
