import type { Stores } from '../../../catalog/catalog.ts'
import type { JobRecord, NextRun } from '../../../catalog/job-store.ts'
import { mapBounded } from '../../../core/bounded.ts'
import { CodedError } from '../../../core/errors.ts'
import { timeOrNull } from '../../../http/common-shapes.ts'
import { cutPage, parsePageToken } from '../../../http/page-token.ts'
import { onExport } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { type Call, defineRoute, type Route, type Tag } from '../../../http/route.ts'
import type { DumpStreams } from '../../dumps/http/dump-streams.ts'
import { countRows } from '../export-run.ts'
import { findNext, nextRunAtMs, type ScheduleDependencies } from '../export-schedule.ts'
import type { ExportTask } from '../export-task.ts'
import { EXPORT_KIND } from '../run-job.ts'
import { sourceOf } from '../settle-run.ts'
import { askForRun } from './asked-export.ts'
import type { DryRuns } from './dry-runs.ts'
import { fileReply, fileToJson, runToJson } from './export-answers.ts'
import { FOR_SOME_TASKS, namedTasks, permittedTasks } from './export-permission.ts'
import {
  ExportEnded,
  ExportFilePosition,
  ExportFilesAnswer,
  ExportFilesQuery,
  ExportRunAsked,
  ExportRunPosition,
  ExportRunsAnswer,
  ExportRunsQuery,
  ExportsAnswer,
  ExportTaskAnswer,
  RunExportRequest,
  RunExportsRequest,
  RunsOfAll,
} from './export-shapes.ts'
import { runWait, WAIT_DESCRIPTION } from './wait-for-run.ts'

export type ExportService = ScheduleDependencies &
  Stores<'events'> & {
    readonly streams: DumpStreams
    readonly dryRuns: DryRuns
  }

export const EXPORTS_TAG: Tag = {
  name: 'exports',
  description: 'Archive rows of other databases, then delete them there.',
}
export const TASK_PARAMETER = { task: 'The name of the folder of the task.' }
const READS_AT_ONCE = 16
const RETRY_AFTER_SECONDS = 2

export function exportRoutes(service: ExportService): readonly Route[] {
  return [
    ...taskRoutes(service),
    ...[runRoute(service), runsRoute(service), runOfAllRoute(service)],
    ...fileRoutes(service),
  ]
}

function taskRoutes(service: ExportService): readonly Route[] {
  const listExports = defineRoute(
    {
      method: 'get',
      path: '/v1/exports',
      operationId: 'listExports',
      tag: EXPORTS_TAG,
      summary: 'List all export tasks',
      description: 'Those that the caller may export.',
      permission: FOR_SOME_TASKS,
      answers: [{ status: 200, description: 'Every task.', shape: ExportsAnswer }],
      problems: ['exports-unreadable'],
      curl: 'curl $MORAINE/v1/exports',
    },
    async (call) => {
      const problem = await service.folder.problem()
      if (problem !== null) return jsonReply({ exports: [], problem })
      const names = await permittedTasks(service, call)
      const paused = await service.files.pauses.list()
      const noted = await service.catalog.schedules.list()
      const hindrance = await service.files.problem()
      const described = (name: string) => describe(service, name, { paused, noted, hindrance })
      const exports = await mapBounded(names, READS_AT_ONCE, described)
      const misnamed = await misnamedTasks(service, call)
      return jsonReply({ exports: [...exports, ...misnamed], problem })
    },
  )

  const getExport = defineRoute(
    {
      method: 'get',
      path: '/v1/exports/{task}',
      parameters: TASK_PARAMETER,
      operationId: 'getExport',
      tag: EXPORTS_TAG,
      summary: 'Get an export task and its last run',
      permission: onExport('export'),
      answers: [{ status: 200, description: 'The task.', shape: ExportTaskAnswer }],
      problems: ['export-not-found'],
      curl: 'curl $MORAINE/v1/exports/agency',
    },
    async ({ param }) => jsonReply(await describe(service, param('task'))),
  )

  return [listExports, getExport]
}

function runRoute(service: ExportService): Route {
  const { folder } = service
  return defineRoute(
    {
      method: 'post',
      path: '/v1/exports/{task}/runs',
      parameters: TASK_PARAMETER,
      operationId: 'runExport',
      tag: EXPORTS_TAG,
      summary: 'Run an export task',
      description:
        'Copies the rows of the task to a file, deletes them in the same transaction, and gives ' +
        'the file its name once that is committed. A task that runs already is joined. ' +
        WAIT_DESCRIPTION,
      permission: onExport('export'),
      reservesKey: true,
      body: RunExportRequest,
      isBodyOptional: true,
      answers: [
        { status: 202, description: 'The run.', shape: ExportRunAsked },
        {
          status: 200,
          description: 'What a run would do, or the run, if it was waited for and has ended.',
          shape: ExportEnded,
        },
      ],
      problems: [
        ...['export-not-found', 'export-task-unusable', 'export-task-invalid'],
        ...['source-refused', 'overloaded', 'table-not-found', 'not-implemented'],
      ] as const,
      curl: `curl -X POST -H 'Prefer: wait=30' $MORAINE/v1/exports/agency/runs`,
    },
    async (call) => {
      const { param, body, keeper, closed } = call
      const waitFor = runWait(call)
      if (body.dry_run === true) {
        const task = await folder.read(param('task'))
        const rows = await service.dryRuns.count(() => countRows(service, task, closed))
        const counted = { task: task.name, dry_run: true, mode: task.work.mode, rows }
        await keeper.withoutEffect({ status: 200, value: counted })
        return jsonReply(counted)
      }
      const asked = await askForRun(service, call, param('task'))
      const { run_id, task, url, created_at } = runToJson(asked)
      const run = { run_id, task, url, created_at }
      const headers = { Location: url, 'Retry-After': String(RETRY_AFTER_SECONDS) }
      // Before the wait: a run was asked for, whatever becomes of this process.
      await keeper.withoutEffect({ status: 202, headers, value: run })
      const { job, headers: applied } = await waitFor(service, asked, { hasAsked: true })
      const value = runToJson(job)
      if (value.ended_at !== null) {
        return jsonReply(value, { headers: { Location: url, ...applied } })
      }
      return jsonReply(run, { status: 202, headers: { ...headers, ...applied } })
    },
  )
}

function runsRoute(service: ExportService): Route {
  return defineRoute(
    {
      method: 'get',
      path: '/v1/exports/{task}/runs',
      parameters: TASK_PARAMETER,
      operationId: 'listExportRuns',
      tag: EXPORTS_TAG,
      summary: 'List the runs of a task, newest first',
      description: 'Those of the last week; its files are kept for ever.',
      permission: onExport('export'),
      query: ExportRunsQuery,
      answers: [{ status: 200, description: 'One page of runs.', shape: ExportRunsAnswer }],
      problems: ['export-not-found', 'page-token-invalid'],
      curl: 'curl $MORAINE/v1/exports/agency/runs',
    },
    async ({ param, query }) => {
      const task = param('task')
      await describe(service, task)
      const { page_size, page_token } = query
      const found = await service.jobs.list({
        ...{ kind: EXPORT_KIND, key: task, limit: page_size + 1 },
        ...(page_token !== undefined && { before: positionOf(page_token) }),
      })
      const { items, nextPageToken } = cutPage(found, page_size, (last) => [
        last.createdAtMs,
        last.jobId,
      ])
      return jsonReply({ runs: items.map(runToJson), next_page_token: nextPageToken })
    },
  )
}

function runOfAllRoute(service: ExportService): Route {
  return defineRoute(
    {
      method: 'post',
      path: '/v1/exports/runs',
      operationId: 'runExports',
      tag: EXPORTS_TAG,
      summary: 'Run several export tasks, or all',
      description:
        'Those named, or all that the caller may export; of none if one is unknown. One that ' +
        'cannot be run stops no other.',
      permission: FOR_SOME_TASKS,
      reservesKey: true,
      body: RunExportsRequest,
      isBodyOptional: true,
      answers: [{ status: 202, description: 'Each task with its run.', shape: RunsOfAll }],
      problems: ['export-not-found'],
      curl: 'curl -X POST $MORAINE/v1/exports/runs',
    },
    async (call) => {
      const { keeper } = call
      const tasks = await namedTasks(service, call, call.body.tasks)
      for (const task of tasks) await service.folder.require(task)
      const runs = await mapBounded(tasks, READS_AT_ONCE, async (task) => {
        try {
          const { run_id, url } = runToJson(await askForRun(service, call, task))
          return { task, run_id, url, problem: null }
        } catch (error) {
          if (!(error instanceof CodedError)) throw error
          return { task, run_id: null, url: null, problem: error.message }
        }
      })
      await keeper.withoutEffect({ status: 202, value: { runs } })
      return jsonReply({ runs }, { status: 202 })
    },
  )
}

function fileRoutes(service: ExportService): readonly Route[] {
  const { files } = service
  const listExportFiles = defineRoute(
    {
      method: 'get',
      path: '/v1/exports/{task}/files',
      parameters: TASK_PARAMETER,
      operationId: 'listExportFiles',
      tag: EXPORTS_TAG,
      summary: 'List the files of a task, newest first',
      permission: onExport('export'),
      query: ExportFilesQuery,
      answers: [{ status: 200, description: 'One page of files.', shape: ExportFilesAnswer }],
      problems: ['export-not-found', 'page-token-invalid'],
      curl: 'curl $MORAINE/v1/exports/agency/files',
    },
    async ({ param, query }) => {
      const task = param('task')
      await describe(service, task)
      const { page_size, page_token } = query
      const before =
        page_token === undefined ? undefined : parsePageToken(page_token, ExportFilePosition)[0]
      const found = await files.list(task, { before, limit: page_size + 1 })
      const { items, nextPageToken } = cutPage(found, page_size, ({ file }) => [file])
      return jsonReply({ files: items.map(fileToJson), next_page_token: nextPageToken })
    },
  )

  const getExportFile = defineRoute(
    {
      method: 'get',
      path: '/v1/exports/{task}/files/{file}',
      parameters: { ...TASK_PARAMETER, file: 'The name of the file.' },
      operationId: 'getExportFile',
      tag: EXPORTS_TAG,
      summary: 'Download an exported file',
      description: 'With ETag, ranges and Repr-Digest; the file never changes.',
      permission: onExport('export'),
      showsRows: true,
      answers: [
        { status: 200, description: 'The file.', mediaType: 'application/gzip' },
        { status: 206, description: 'The range asked for.', mediaType: 'application/gzip' },
        { status: 304, description: 'The client has it.' },
      ],
      problems: [
        'export-not-found',
        'export-file-not-found',
        'precondition-failed',
        'range-not-satisfiable',
      ],
      curl: 'curl -fOJ $MORAINE/v1/exports/agency/files/agency-20250101T000000Z-0f8c1c9e.csv.gz',
    },
    async (call) => {
      const { task } = await describe(service, call.param('task'))
      const receipt = await files.find(task, call.param('file'))
      // Before the reply begins, which could not say that its place is out of reach.
      await files.archived(receipt)
      return fileReply(service, call, receipt)
    },
  )
  return [listExportFiles, getExportFile]
}

/** What looks like a task and is none, of those that the caller may export. */
async function misnamedTasks(
  { folder }: ExportService,
  { may }: Pick<Call<unknown, unknown>, 'may'>,
) {
  const permitted = await mapBounded(await folder.listMisnamed(), READS_AT_ONCE, async (found) =>
    (await may('export', { on: 'export', name: found.name })) ? [found] : [],
  )
  return permitted.flat().map(({ name, problem }) => ({
    ...{ task: name, source: null, mode: null, schedule: null },
    ...{ next_run_at: null, is_paused: false, problem, last_run: null },
  }))
}

/** Throws `export-not-found`. */
async function describe(
  service: ExportService,
  name: string,
  /** The same for all tasks, if it was read. */
  all: {
    readonly paused?: ReadonlySet<string>
    readonly noted?: ReadonlyMap<string, NextRun>
    readonly hindrance?: string | null
  } = {},
) {
  const { files, folder, jobs } = service
  const { task, problem } = await folder.look(name, (read) => sourceOf(service, read))
  const last = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const { hindrance = await files.problem() } = all
  const isPaused = (all.paused ?? (await files.pauses.list())).has(name)
  const noted =
    all.noted === undefined ? await service.catalog.schedules.find(name) : all.noted.get(name)
  return {
    task: name,
    source: task?.source ?? null,
    mode: task?.work.mode ?? null,
    schedule: task?.schedule?.cron ?? null,
    next_run_at: isPaused ? null : await nextRun(service, task, { noted, newest: last }),
    is_paused: isPaused,
    problem: problem ?? hindrance,
    last_run: last === undefined ? null : runToJson(last),
  }
}

async function nextRun(
  service: ExportService,
  task: ExportTask | undefined,
  known: { readonly noted: NextRun | undefined; readonly newest: JobRecord | undefined },
): Promise<string | null> {
  if (task?.schedule === undefined) return null
  const { schedule } = task
  const nowMs = service.ambient.nowMs()
  const nextAtMs = await findNext(service, { ...task, schedule }, { ...known, nowMs })
  return timeOrNull(nextAtMs && nextRunAtMs(schedule, { nextAtMs, nowMs }))
}

function positionOf(token: string): Pick<JobRecord, 'createdAtMs' | 'jobId'> {
  const [createdAtMs, jobId] = parsePageToken(token, ExportRunPosition)
  return { createdAtMs, jobId }
}
