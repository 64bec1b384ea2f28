import { mapBounded } from '../../../core/bounded.ts'
import { timeText } from '../../../http/common-shapes.ts'
import { onExport } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { resumeSchedule } from '../export-schedule.ts'
import { type AskingCall, noteAsked } from './asked-export.ts'
import { FOR_SOME_TASKS, namedTasks } from './export-permission.ts'
import { EXPORTS_TAG, type ExportService, TASK_PARAMETER } from './export-routes.ts'
import { PausedExport, PausedExports, PauseExportsRequest } from './export-shapes.ts'

const WRITES_AT_ONCE = 16

/** Whether schedules are followed: of one task, of some, of all. */
export function scheduleRoutes(service: ExportService): readonly Route[] {
  return [...routesOf(service, true), ...routesOf(service, false)]
}

function routesOf(service: ExportService, isPaused: boolean): readonly Route[] {
  const verb = isPaused ? 'pause' : 'resume'
  const what = isPaused ? 'Pause' : 'Resume'
  const description = isPaused
    ? 'Its schedule is left out until it is resumed. A run goes on, and can be asked for.'
    : 'A time that passed in between is left out; with `catch_up`, made up for, once.'
  const one = defineRoute(
    {
      method: 'post',
      path: `/v1/exports/{task}/${verb}`,
      parameters: TASK_PARAMETER,
      operationId: `${verb}Export`,
      tag: EXPORTS_TAG,
      summary: `${what} the schedule of an export task`,
      description,
      permission: onExport('export'),
      reservesKey: true,
      answers: [{ status: 200, description: 'Its state from now on.', shape: PausedExport }],
      problems: ['export-not-found'],
      curl: `curl -X POST $MORAINE/v1/exports/agency/${verb}`,
    },
    async (call) => {
      const { param, keeper } = call
      const [value] = await change(service, call, { isPaused, tasks: [param('task')] })
      await keeper.withoutEffect({ status: 200, value })
      return jsonReply(value)
    },
  )
  const several = defineRoute(
    {
      method: 'post',
      path: `/v1/exports/${verb}`,
      operationId: `${verb}Exports`,
      tag: EXPORTS_TAG,
      summary: `${what} the schedules of several export tasks`,
      description:
        `${description} Of all that the caller may export when none are named; of none if one ` +
        'is unknown.',
      permission: FOR_SOME_TASKS,
      reservesKey: true,
      body: PauseExportsRequest,
      isBodyOptional: true,
      answers: [{ status: 200, description: 'Their state from now on.', shape: PausedExports }],
      problems: ['export-not-found'],
      curl: `curl -X POST $MORAINE/v1/exports/${verb}`,
    },
    async (call) => {
      const { body, keeper } = call
      const tasks = await namedTasks(service, call, body.tasks)
      const value = { tasks: await change(service, call, { isPaused, tasks }) }
      await keeper.withoutEffect({ status: 200, value })
      return jsonReply(value)
    },
  )
  return [one, several]
}

/** Throws `export-not-found` before anything is changed. */
async function change(
  service: ExportService,
  call: AskingCall,
  { isPaused, tasks }: { readonly isPaused: boolean; readonly tasks: readonly string[] },
) {
  const { files, folder, ambient } = service
  for (const task of tasks) await folder.require(task)
  return mapBounded(tasks, WRITES_AT_ONCE, async (task) => {
    await noteAsked(service, call, { task, asked_for: isPaused ? 'pause' : 'resume' })
    if (isPaused) await files.pauses.begin(task, timeText(ambient.nowMs()))
    else await resumeSchedule(service, task)
    return { task, is_paused: isPaused }
  })
}
