import type { Stores } from '../../../catalog/catalog.ts'
import { CatalogError } from '../../../core/errors.ts'
import { membersText, objectOf } from '../../../formats/json/json-text.ts'
import { LARGE_BODY } from '../../../http/body-limits.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { getRestTable } from '../load-table.ts'
import {
  fetchPlan,
  fetchScanTasks,
  type PlannedTasks,
  planTableScan,
  requirePlan,
} from '../plan/plan-table-scan.ts'
import type { RestServices } from '../rest-services.ts'
import {
  defineRestRoute,
  type IcebergCall,
  NO_CONTENT_REPLY,
  onRestTable,
  TABLE,
  tableName,
} from './rest-route.ts'
import { PlanAnswer, ScanTasksAnswer } from './shapes/rest-answer-shapes.ts'
import { PlanRequest, TasksRequest } from './shapes/rest-request-shapes.ts'

/** Clients nest `a and b and c`, each in the next. */
const FILTER_DEPTH_MAX = 1_000
const PLAN = `${TABLE}/plan/{plan-id}`

/** Everything that planning uses. */
type PlanServices = Stores<'snapshots' | 'tables'> & Pick<RestServices, 'manifests'>

/** Planning changes nothing, so a repeated request needs no key: it gets the same plan. */
export function planRoutes(deps: PlanServices): readonly Route[] {
  return [...plannedRoutes(deps), tasksRoute(deps)]
}

function plannedRoutes(deps: PlanServices): readonly Route[] {
  const permission = onRestTable('select')
  const ofPlan = { path: PLAN, permission, changesNothing: true as const }
  const problems = ['table-not-found', 'plan-not-found'] as const
  return [
    defineRestRoute(
      {
        ...{ method: 'post', path: `${TABLE}/plan`, operationId: 'icebergPlanScan', permission },
        changesNothing: true,
        summary: 'Plan a scan',
        description:
          'Lists the files to read; if there are many, the first ones and tokens for the rest.',
        body: PlanRequest,
        bodyMax: { ...LARGE_BODY, depthMax: FILTER_DEPTH_MAX },
        answers: [{ status: 200, description: 'The plan.', shape: PlanAnswer }],
        problems: ['table-not-found', 'snapshot-not-found', 'filter-invalid'],
      },
      async (call) => {
        const { planId, ...tasks } = await planTableScan(
          deps,
          await getRestTable(asking(deps, call), tableName(call)),
          call.body ?? {},
        )
        return tasksReply(tasks, { status: 'completed', 'plan-id': planId })
      },
    ),
    defineRestRoute(
      {
        ...{ ...ofPlan, method: 'get', problems, operationId: 'icebergFetchPlan' },
        summary: 'Fetch a plan again',
        answers: [{ status: 200, description: 'The plan.', shape: PlanAnswer }],
      },
      async (call) => {
        const state = await getRestTable(asking(deps, call), tableName(call))
        const tasks = await fetchPlan(deps, state, call.param('plan-id'))
        return tasksReply(tasks, { status: 'completed' })
      },
    ),
    defineRestRoute(
      {
        ...{ ...ofPlan, method: 'delete', problems, operationId: 'icebergCancelPlan' },
        summary: 'Cancel a plan',
        description: 'Does nothing, since plans hold no resources.',
        answers: [{ status: 204, description: 'Cancelled.' }],
      },
      async (call) => {
        requirePlan(await getRestTable(asking(deps, call), tableName(call)), call.param('plan-id'))
        return NO_CONTENT_REPLY
      },
    ),
  ]
}

function tasksRoute(deps: PlanServices): Route {
  return defineRestRoute(
    {
      method: 'post',
      path: `${TABLE}/tasks`,
      operationId: 'icebergFetchTasks',
      permission: onRestTable('select'),
      changesNothing: true,
      summary: 'Fetch more tasks of a plan',
      body: TasksRequest,
      answers: [{ status: 200, description: 'Tasks.', shape: ScanTasksAnswer }],
      problems: ['table-not-found', 'plan-task-not-found'],
    },
    async (call) => {
      const planTask = planTaskOf(call)
      const state = await getRestTable(asking(deps, call), tableName(call))
      return tasksReply(await fetchScanTasks(deps, state, planTask), {})
    },
  )
}

function planTaskOf({ body }: IcebergCall): string {
  const planTask = (body as { readonly 'plan-task'?: unknown } | null | undefined)?.['plan-task']
  if (typeof planTask === 'string') return planTask
  throw new CatalogError('request-invalid', '$.plan-task: expected a string')
}

/** A `ScanTasks` of the Iceberg REST specification, after these members. */
function tasksReply(
  { fileScanTasks, deleteFiles, planTasks }: PlannedTasks,
  before: Readonly<Record<string, string>>,
): Reply {
  const body = objectOf([
    membersText(before),
    deleteFiles.length === 0 ? '' : `"delete-files":[${deleteFiles.join(',')}]`,
    `"file-scan-tasks":[${fileScanTasks.join(',')}]`,
    planTasks.length === 0 ? '' : membersText({ 'plan-tasks': planTasks }),
  ])
  return { status: 200, mediaType: JSON_MEDIA_TYPE, body }
}
