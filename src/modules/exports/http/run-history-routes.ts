import type { JobRecord } from '../../../catalog/job-store.ts'
import { nameOfPrincipal } from '../../../http/authorizer.ts'
import { cutPage, parsePageToken } from '../../../http/page-token.ts'
import { onExport } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { EXPORT_KIND, SCHEDULE } from '../run-job.ts'
import { logOf } from '../run-log.ts'
import { noteAsked } from './asked-export.ts'
import { fileToJson, runToJson } from './export-answers.ts'
import { EXPORTS_TAG, type ExportService, TASK_PARAMETER } from './export-routes.ts'
import {
  ExportFilePosition,
  ExportFilesAnswer,
  ExportFilesQuery,
  ExportRun,
  ExportRunLog,
} from './export-shapes.ts'
import { runWait, WAIT_DESCRIPTION } from './wait-for-run.ts'

const PARAMETERS = { ...TASK_PARAMETER, run: 'The `run_id` of the run.' }
const EXAMPLE = 'curl $MORAINE/v1/exports/agency/runs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11'

/** One run: how it went, what it did, what it archived. */
export function runHistoryRoutes(service: ExportService): readonly Route[] {
  const { files } = service
  const common = { method: 'get', parameters: PARAMETERS, tag: EXPORTS_TAG } as const
  const permission = onExport('export')
  const getExportRun = defineRoute(
    {
      ...{ ...common, permission, path: '/v1/exports/{task}/runs/{run}' },
      operationId: 'getExportRun',
      summary: 'Get one run of a task',
      description: `Runs are kept for a week after they ended. ${WAIT_DESCRIPTION}`,
      answers: [{ status: 200, description: 'The run.', shape: ExportRun }],
      problems: ['export-run-not-found'],
      curl: EXAMPLE,
    },
    async (call) => {
      const waitFor = runWait(call)
      const found = await getRun(service, call.param('task'), call.param('run'))
      const { job, headers } = await waitFor(service, found, { hasAsked: false })
      return jsonReply(runToJson(job), { headers })
    },
  )

  const getExportRunLog = defineRoute(
    {
      ...{ ...common, permission, path: '/v1/exports/{task}/runs/{run}/log' },
      operationId: 'getExportRunLog',
      summary: 'Tell what a run did, step by step',
      description:
        'With times and counts, of all its attempts. Of more than 200 steps the first 20 and ' +
        'the last 180 are kept. While the run goes on, it is some seconds behind.',
      answers: [{ status: 200, description: 'The steps, in order.', shape: ExportRunLog }],
      problems: ['export-run-not-found'],
      curl: `${EXAMPLE}/log`,
    },
    async ({ param }) => {
      const job = await getRun(service, param('task'), param('run'))
      const { run_id, task, state } = runToJson(job)
      return jsonReply({ run_id, task, state, ...logOf(job.progress) })
    },
  )

  const listExportRunFiles = defineRoute(
    {
      ...{ ...common, permission, path: '/v1/exports/{task}/runs/{run}/files' },
      operationId: 'listExportRunFiles',
      summary: 'List the files of a run, in the order of its parts',
      description:
        'Each is downloaded at its `url`, with ETag, ranges and Repr-Digest. They are known for ' +
        'as long as they are there, also when the run is forgotten.',
      query: ExportFilesQuery,
      answers: [{ status: 200, description: 'One page of files.', shape: ExportFilesAnswer }],
      problems: ['export-run-not-found', 'page-token-invalid'],
      curl: `${EXAMPLE}/files`,
    },
    async ({ param, query }) => {
      const [task, run] = [param('task'), param('run')]
      const { page_size, page_token } = query
      const after =
        page_token === undefined ? undefined : parsePageToken(page_token, ExportFilePosition)[0]
      const found = await files.listOfRun(task, run, { after, limit: page_size + 1 })
      if (found.length === 0) await getRun(service, task, run)
      const { items, nextPageToken } = cutPage(found, page_size, ({ file }) => [file])
      return jsonReply({ files: items.map(fileToJson), next_page_token: nextPageToken })
    },
  )
  return [getExportRun, getExportRunLog, listExportRunFiles, cancelRoute(service)]
}

function cancelRoute(service: ExportService): Route {
  return defineRoute(
    {
      ...{ method: 'delete', path: '/v1/exports/{task}/runs/{run}', parameters: PARAMETERS },
      ...{ tag: EXPORTS_TAG, operationId: 'cancelExportRun', permission: onExport('export') },
      reservesKey: true,
      summary: 'Withdraw the request for a run',
      description:
        "Withdraws the caller's request, or, without one, that of the schedule. The run is " +
        'cancelled and rolled back when no request is left; by an administrator in any case. One ' +
        'that has ended, or may be committed, stays as it is. Without either request: 403. A ' +
        'repeated withdrawal is told the same as the first.',
      answers: [{ status: 200, description: 'The run as it is now.', shape: ExportRun }],
      problems: ['export-run-not-found'],
      curl: EXAMPLE.replace('curl', 'curl -X DELETE'),
    },
    async (call) => {
      const { param, principal, may, keeper } = call
      const task = param('task')
      const { jobId } = await getRun(service, task, param('run'))
      await noteAsked(service, call, { task, asked_for: 'cancel', run_id: jobId })
      const isAdmin = await may('admin', { on: 'catalog', name: undefined })
      const own = nameOfPrincipal(principal)
      // Who may export the task may withdraw what its schedule asked for.
      const asker = (await service.jobs.findAsker(jobId, [own, SCHEDULE])) ?? own
      const job = await service.jobs.cancel(jobId, isAdmin ? undefined : asker)
      if (!isAdmin && !job.hasWithdrawn && job.endedAtMs === undefined) throw notAsked(task, jobId)
      const value = runToJson(job)
      await keeper.withoutEffect({ status: 200, value })
      return jsonReply(value)
    },
  )
}

function notAsked(task: string, run: string): ProblemError {
  const detail =
    'You have not asked for this run: it ends when those who asked withdraw, or an ' +
    'administrator does'
  return new ProblemError('permission-denied', detail, { facts: { task, run_id: run } })
}

/** Throws `export-run-not-found`; a run of another task is none. */
async function getRun({ jobs }: ExportService, task: string, run: string): Promise<JobRecord> {
  const job = await jobs.find(run)
  if (job?.kind === EXPORT_KIND && job.key === task) return job
  const detail = `The export ${JSON.stringify(task)} has no run ${JSON.stringify(run)}`
  throw new ProblemError('export-run-not-found', detail, { facts: { task, run_id: run } })
}
