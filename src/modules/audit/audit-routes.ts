import type { z } from 'zod'
import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import type { Dialect } from '../../http/dialect.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog, onTable, onView } from '../../http/permission.ts'
import { requireAccepted } from '../../http/problem.ts'
import { JSON_MEDIA_TYPE, jsonReply, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import { type Call, defineRoute, type Route, type Tag } from '../../http/route.ts'
import { REQUEST_METHODS } from '../../http/serve/request-notes.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { getView } from '../views/change-view.ts'
import { wantedView } from '../views/views.ts'
import { CHANGES } from './audit-changes.ts'
import {
  AuditLog,
  AuditLogsAnswer,
  AuditPosition,
  AuditQuery,
  auditLogOf,
  TargetAuditQuery,
  UsageAnswer,
  UsagePosition,
  UsageQuery,
  usageOf,
} from './audit-shapes.ts'
import { LOST } from './audit-trail.ts'
import { UNSIGNED } from './unsigned-requests.ts'

export interface AuditRoutesPlatform {
  readonly catalog: Pick<Catalog, 'audit' | 'usage' | 'tables' | 'views'>
  /** All protocols of the service; called only after every module was made. */
  dialects(): readonly Dialect[]
}

const AUDIT_TAG: Tag = {
  name: 'audit',
  description: 'Who did what, who was refused, and how much was used.',
}
/** Actions of requests for which there is no route: all that HTTP has. */
const UNROUTED = new Set(REQUEST_METHODS.map((method) => method.toLowerCase()))
const NEXT_PAGE = 'Next-Page-Token'
const FORMS = [JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, 'application/ndjson']
const DESCRIPTION =
  'Changes, reads of what is in tables and views, and refusals. Changes are there a second after ' +
  'they were made, and all else a second after its response. NDJSON has the rows of one page, ' +
  'and the token of the next one in a header (docs/audit.md).'
const ANSWER = {
  status: 200,
  description: 'One page of rows, newest first.',
  shape: AuditLogsAnswer,
  alternatives: { [NDJSON_MEDIA_TYPE]: AuditLog },
  headers: { [NEXT_PAGE]: 'For NDJSON: token of the next page, unless it is the last.' },
} as const
const PROBLEMS = ['page-token-invalid', 'as-at-invalid', 'not-acceptable'] as const

export function auditRoutes(platform: AuditRoutesPlatform): readonly Route[] {
  return [auditOfAll(platform), auditOfTable(platform), auditOfView(platform), usage(platform)]
}

const auditOfAll = (platform: AuditRoutesPlatform) =>
  defineRoute(
    {
      ...{ method: 'get', path: '/v1/audit-logs', operationId: 'listAuditLogs', tag: AUDIT_TAG },
      summary: 'List what was done and what was refused',
      description: DESCRIPTION,
      permission: onCatalog('admin'),
      query: AuditQuery,
      answers: [ANSWER],
      problems: PROBLEMS,
      curl: 'curl "$MORAINE/v1/audit-logs?action=table.dropped&from=2024-03"',
    },
    (call) => page(platform, call, call.query.subject),
  )

const auditOfTable = (platform: AuditRoutesPlatform) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/audit-logs',
      ...{ operationId: 'listTableAuditLogs', tag: AUDIT_TAG },
      summary: 'List what was done to a table, and who was refused it',
      description: DESCRIPTION,
      permission: onTable('own'),
      query: TargetAuditQuery,
      answers: [ANSWER],
      problems: [...PROBLEMS, 'table-not-found', 'name-invalid'],
      curl: 'curl "$MORAINE/v1/tables/aviation.flights/audit-logs"',
    },
    async (call) => {
      const { catalog } = asking(platform, call)
      const { definition } = await getTable(catalog, call.param('table_identifier'))
      return page(platform, call, definition.tableUuid)
    },
  )

const auditOfView = (platform: AuditRoutesPlatform) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/views/{view_identifier}/audit-logs',
      ...{ operationId: 'listViewAuditLogs', tag: AUDIT_TAG },
      summary: 'List what was done to a view, and who was refused it',
      description: DESCRIPTION,
      permission: onView('own'),
      query: TargetAuditQuery,
      answers: [ANSWER],
      problems: [...PROBLEMS, 'view-not-found', 'name-invalid'],
      curl: 'curl "$MORAINE/v1/views/aviation.late_flights/audit-logs"',
    },
    async (call) => {
      const wanted = wantedView(call.param('view_identifier'))
      const { viewUuid } = await getView(asking(platform, call), wanted)
      return page(platform, call, viewUuid)
    },
  )

const usage = ({ catalog }: AuditRoutesPlatform) =>
  defineRoute(
    {
      ...{ method: 'get', path: '/v1/usage', operationId: 'listUsage', tag: AUDIT_TAG },
      summary: 'List requests and bytes by day, principal and namespace',
      description:
        'Days are in UTC. What was used in the last ten seconds may be missing. `other` stands ' +
        'for the rest where there were too many principals and namespaces to count each.',
      permission: onCatalog('admin'),
      query: UsageQuery,
      answers: [{ status: 200, description: 'One page, oldest first.', shape: UsageAnswer }],
      problems: ['page-token-invalid'],
      curl: 'curl "$MORAINE/v1/usage?from=2024-03-01&namespace=aviation"',
    },
    async ({ query }) => {
      const { page_size: size, page_token: token, from, to, principal, namespace } = query
      const [day, who, where] = token === undefined ? [] : parsePageToken(token, UsagePosition)
      const found = await catalog.usage.list({
        ...{ fromDay: from, toDay: to, principal, namespace, limit: size + 1 },
        ...(day !== undefined && { after: { day, principal: who ?? '', namespace: where ?? '' } }),
      })
      const { items, nextPageToken } = cutPage(found, size, (last) => [
        ...[last.day, last.principal, last.namespace],
      ])
      return jsonReply({ usage: items.map(usageOf), next_page_token: nextPageToken })
    },
  )

/** A mistyped one would be taken for one that nobody did. */
function requireAction(action: string, dialects: readonly Dialect[]): void {
  const operations = dialects.flatMap(({ routes }) => routes.map(({ operationId }) => operationId))
  const others = [LOST, UNSIGNED, ...operations]
  if (CHANGES.includes(action) || UNROUTED.has(action) || others.includes(action)) return
  const detail =
    `action: nothing is called ${JSON.stringify(action)}. Changes are ${CHANGES.join(', ')}; ` +
    `${LOST} counts requests without rows; ${UNSIGNED} refusals of who did not sign in; ` +
    'reads and refusals have the operationId of the API, as readRows'
  throw new CatalogError('request-invalid', detail, { facts: { changes: CHANGES } })
}

type AuditCall = Pick<Call<z.output<typeof TargetAuditQuery>, unknown>, 'query' | 'accepts'>

async function page(
  { catalog, dialects }: AuditRoutesPlatform,
  { query, accepts }: AuditCall,
  subject: string | undefined,
): Promise<Reply> {
  const form = requireAccepted(accepts, FORMS)
  const { page_size: size, page_token: token, principal, action, decision, from, to } = query
  if (action !== undefined) requireAction(action, dialects())
  const [timeMs, position] = token === undefined ? [] : parsePageToken(token, AuditPosition)
  const found = await catalog.audit.list({
    ...{ principal, action, subject, decisions: decision },
    ...{ fromMs: from, toMs: to, limit: size + 1 },
    ...(timeMs !== undefined && { before: { timeMs, position: position ?? 0n } }),
  })
  const { items, nextPageToken } = cutPage(found, size, (last) => [
    last.timeMs,
    String(last.position),
  ])
  const logs = items.map(auditLogOf)
  const headers = { Vary: 'Accept, Origin', 'Cache-Control': 'no-store' }
  if (form === JSON_MEDIA_TYPE) {
    return jsonReply({ audit_logs: logs, next_page_token: nextPageToken }, { headers })
  }
  return {
    ...{ status: 200, mediaType: NDJSON_MEDIA_TYPE },
    body: logs.map((log) => `${stringifyExactJson(log)}\n`).join(''),
    headers: { ...headers, ...(nextPageToken !== null && { [NEXT_PAGE]: nextPageToken }) },
  }
}
