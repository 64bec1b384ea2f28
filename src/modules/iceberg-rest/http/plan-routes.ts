import { CatalogError } from '../../../core/errors.ts'
import { getRestTable } from '../load-table.ts'
import {
  fetchPlan,
  fetchScanTasks,
  type PlannedTasks,
  planTableScan,
  requirePlan,
} from '../plan/plan-table-scan.ts'
import { noContent, utf8 } from './rest-reply.ts'
import type { IcebergCall, IcebergReply, IcebergRoute } from './rest-route.ts'
import { tableName } from './rest-table-routes.ts'

const TABLE = '/v1/{prefix}/namespaces/{namespace}/tables/{table}'
/** Clients write `a and b and c` as one within the other. */
const FILTER_DEPTH_MAX = 1_000
const PLAN = `${TABLE}/plan/{plan-id}`

/** Planning changes nothing, so that a repeated request needs no key: it gets the same plan. */
export const PLAN_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'POST',
    path: `${TABLE}/plan`,
    bodyDepthMax: FILTER_DEPTH_MAX,
    handle: async (call) => {
      const { planId, ...tasks } = await planTableScan(
        call.deps,
        await getRestTable(call.deps, tableName(call)),
        call.body ?? {},
      )
      return tasksReply(tasks, `"status":"completed","plan-id":${JSON.stringify(planId)},`)
    },
  },
  {
    method: 'GET',
    path: PLAN,
    handle: async (call) => {
      const state = await getRestTable(call.deps, tableName(call))
      const tasks = await fetchPlan(call.deps, state, call.param('plan-id'))
      return tasksReply(tasks, '"status":"completed",')
    },
  },
  {
    method: 'DELETE',
    path: PLAN,
    handle: async (call) => {
      requirePlan(await getRestTable(call.deps, tableName(call)), call.param('plan-id'))
      return noContent()
    },
  },
  {
    method: 'POST',
    path: `${TABLE}/tasks`,
    handle: async (call) => {
      const planTask = planTaskOf(call)
      const state = await getRestTable(call.deps, tableName(call))
      return tasksReply(await fetchScanTasks(call.deps, state, planTask), '')
    },
  },
]

function planTaskOf({ body }: IcebergCall): string {
  const planTask = (body as { readonly 'plan-task'?: unknown } | null | undefined)?.['plan-task']
  if (typeof planTask === 'string') return planTask
  throw new CatalogError('request-invalid', '$.plan-task: expected a string')
}

/** Iceberg REST specification, `ScanTasks`, after the members that are given with a comma at their end. */
function tasksReply(
  { fileScanTasks, deleteFiles, planTasks }: PlannedTasks,
  head: string,
): IcebergReply {
  const deletes = deleteFiles.length === 0 ? '' : `"delete-files":[${deleteFiles.join(',')}],`
  const more = planTasks.length === 0 ? '' : `,"plan-tasks":${JSON.stringify(planTasks)}`
  const text = `{${head}${deletes}"file-scan-tasks":[${fileScanTasks.join(',')}]${more}}`
  return { status: 200, body: [utf8(text)] }
}
