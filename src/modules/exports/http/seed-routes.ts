import type { JobRecord } from '../../../catalog/job-store.ts'
import { mapBounded } from '../../../core/bounded.ts'
import { CatalogError, CodedError } from '../../../core/errors.ts'
import { onExport } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { type Call, defineRoute, type Route } from '../../../http/route.ts'
import { PROBLEMS, type ProblemCode, ProblemError } from '../../../problem/problems.ts'
import { type AskingCall, askForRun } from './asked-export.ts'
import { FOR_SOME_TASKS, permittedTasks } from './export-permission.ts'
import { EXPORTS_TAG, type ExportService, TASK_PARAMETER } from './export-routes.ts'
import { SeedNames, SeedOk, SeedTask } from './export-shapes.ts'

/** More than run at once in one process, fewer than may wait. */
const RUNS_AT_ONCE = 100
/** A client that waits longer has gone; the run goes on. */
const WAIT_MS_MAX = 6 * 3_600_000

/** The addresses of an older service: they answer when the work is done. */
export function seedRoutes(service: ExportService): readonly Route[] {
  return [...seedLists(service), ...seedRuns(service)]
}

function seedLists(service: ExportService): readonly Route[] {
  const listSeedExports = defineRoute(
    {
      method: 'get',
      path: '/exports',
      operationId: 'listSeedExports',
      tag: EXPORTS_TAG,
      summary: 'List the names of all export tasks',
      description: 'As an older service had it.',
      permission: FOR_SOME_TASKS,
      answers: [{ status: 200, description: 'The names.', shape: SeedNames }],
      problems: ['exports-unreadable'],
      curl: 'curl $MORAINE/exports',
    },
    async (call) => jsonReply({ exports: await permittedTasks(service, call) }),
  )

  const getSeedExport = defineRoute(
    {
      method: 'get',
      path: '/exports/{task}',
      parameters: TASK_PARAMETER,
      operationId: 'getSeedExport',
      tag: EXPORTS_TAG,
      summary: 'Whether an export task is there',
      description: 'As an older service had it.',
      permission: onExport('export'),
      answers: [{ status: 200, description: 'Its name.', shape: SeedTask }],
      problems: ['export-not-found', 'export-task-unusable'],
      curl: 'curl $MORAINE/exports/agency',
    },
    async ({ param }) => jsonReply({ export: (await service.folder.read(param('task'))).name }),
  )

  return [listSeedExports, getSeedExport]
}

function seedRuns(service: ExportService): readonly Route[] {
  const runSeedExports = defineRoute(
    {
      method: 'post',
      path: '/exports',
      operationId: 'runSeedExports',
      tag: EXPORTS_TAG,
      summary: 'Run all export tasks, and answer when they are done',
      description: 'One that fails does not stop the others; the first failure is the answer.',
      permission: FOR_SOME_TASKS,
      reservesKey: true,
      answers: [{ status: 200, description: 'All are done.', shape: SeedOk }],
      problems: ['exports-unreadable', ...OF_RUNS],
      curl: 'curl -X POST $MORAINE/exports',
    },
    async (call) => {
      const { keeper } = call
      const tasks = await permittedTasks(service, call)
      const failures = await mapBounded(tasks, RUNS_AT_ONCE, (task) =>
        runToEnd(service, task, call).then(
          () => [],
          (failure: unknown) => [failure],
        ),
      )
      const [first] = failures.flat()
      if (first !== undefined) throw first
      await keeper.withoutEffect({ status: 200, value: OK })
      return jsonReply(OK)
    },
  )

  const runSeedExport = defineRoute(
    {
      method: 'post',
      path: '/exports/{task}',
      parameters: TASK_PARAMETER,
      operationId: 'runSeedExport',
      tag: EXPORTS_TAG,
      summary: 'Run an export task, and answer when it is done',
      description: 'As an older service had it, but a failure is a problem.',
      permission: onExport('export'),
      reservesKey: true,
      answers: [{ status: 200, description: 'It is done.', shape: SeedOk }],
      problems: ['export-not-found', ...OF_RUNS],
      curl: 'curl -X POST $MORAINE/exports/agency',
    },
    async (call) => {
      const { param, keeper } = call
      await runToEnd(service, param('task'), call)
      await keeper.withoutEffect({ status: 200, value: OK })
      return jsonReply(OK)
    },
  )
  return [runSeedExports, runSeedExport]
}

/** What a run may end with. */
const OF_RUNS = [
  ...(['export-task-unusable', 'export-task-invalid', 'export-row-invalid'] as const),
  ...(['export-count-mismatch', 'export-outcome-unknown', 'export-run-cancelled'] as const),
  ...(['source-refused', 'source-unavailable', 'table-not-found', 'not-implemented'] as const),
  ...(['data-file-changed', 'file-corrupt', 'file-spans-partitions'] as const),
]
const OK = { status: 'Ok' } as const

/** Throws what the run failed with. */
async function runToEnd(
  service: ExportService,
  task: string,
  call: AskingCall & Pick<Call<unknown, unknown>, 'closed'>,
): Promise<void> {
  const asking = async () => (await askForRun(service, call, task)).jobId
  const wait = { waitMs: WAIT_MS_MAX, signal: call.closed }
  const job = await service.jobs.waitForEnd(asking, wait)
  if (job.state !== 'succeeded') throw failureOf(job)
}

function failureOf({ jobId, key, problem, state }: JobRecord): Error {
  if (problem !== undefined && problem.code in PROBLEMS) {
    const { code, detail, facts } = problem
    return new CodedError<ProblemCode>(code as ProblemCode, detail, { ...(facts && { facts }) })
  }
  if (state === 'cancelled') {
    const detail = `The run of ${key} was withdrawn: what it had not committed was rolled back`
    return new ProblemError('export-run-cancelled', detail, {
      facts: { task: key, run_id: jobId },
    })
  }
  const at = `/v1/exports/${key}/runs/${jobId}`
  const detail = `The run of ${key} has not ended: GET ${at} tells how far it is`
  return new CatalogError('overloaded', detail, { facts: { run_id: jobId } })
}
