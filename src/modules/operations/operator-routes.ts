import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { Metrics } from '../../http/metrics.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route, type Tag } from '../../http/route.ts'
import { ownAddress } from '../../http/serve/own-address.ts'
import { problemMarkdown } from '../../problem/problem-markdown.ts'
import { PROBLEM_CODES, ProblemError } from '../../problem/problems.ts'
import type { Pages } from './pages.ts'
import type { StoreHealth } from './store-health.ts'
import { NoReplyError, withinTime } from './within-time.ts'

const OPERATIONS_TAG: Tag = { name: 'operations', description: 'Health, metrics and documents.' }
/** Problems whose own words say what to do. */
const TOLD_CODES: readonly string[] = [
  ...['catalog-damaged', 'storage-misconfigured', 'storage-unavailable', 'warehouse-unavailable'],
]

export interface OperationsDependencies extends Stores<'ping'> {
  /** Throws `warehouse-unavailable` when the folder of all tables is not there. */
  requireWarehouse(): Promise<void>
  /** Which buckets are there, that of the warehouse among them. */
  readonly health: Pick<StoreHealth, 'findAway'>
  /** Version of the service. */
  readonly version: string
  readonly metrics: Metrics
  readonly pages: Pages
  /** Its own address behind a proxy. */
  readonly publicUrl?: string | undefined
}

const Health = z
  .strictObject({
    status: z.literal('ok'),
    version: z.string().meta({ description: 'Version of the service.' }),
  })
  .meta({ id: 'Health', example: { status: 'ok', version: '0.1.0' } })
const Readiness = z
  .strictObject({
    status: z.enum(['ready', 'not-ready']),
    reason: z.string().optional().meta({ description: 'Why it is not ready.' }),
    away: z
      .array(z.string())
      .optional()
      .meta({ description: 'Buckets that do not respond or refuse, such as `s3://lake`.' }),
  })
  .meta({ id: 'Readiness', example: { status: 'ready' } })
const Text = z.string()

const home = defineRoute(
  {
    method: 'get',
    path: '/',
    operationId: 'home',
    tag: OPERATIONS_TAG,
    permission: 'public',
    summary: 'Redirect to /docs',
    answers: [
      {
        status: 302,
        description: 'A redirect to /docs.',
        headers: { Location: '/docs' },
      },
    ],
    problems: [],
  },
  () => ({ status: 302, mediaType: 'text/plain', body: '/docs\n', headers: { Location: '/docs' } }),
)

const health = ({ version }: OperationsDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/health',
      operationId: 'health',
      tag: OPERATIONS_TAG,
      permission: 'public',
      summary: 'Check that the process is alive',
      answers: [{ status: 200, description: 'It is alive.', shape: Health }],
      problems: [],
      curl: 'curl $MORAINE/health',
    },
    () => jsonReply({ status: 'ok', version }),
  )

const ready = ({
  catalog,
  requireWarehouse,
  health,
}: Pick<OperationsDependencies, 'catalog' | 'requireWarehouse' | 'health'>) =>
  defineRoute(
    {
      method: 'get',
      path: '/ready',
      operationId: 'ready',
      tag: OPERATIONS_TAG,
      permission: 'public',
      summary: 'Check that the service can serve requests',
      description:
        'Pings the catalog database, and looks whether the warehouse is there. Buckets are asked ' +
        'every five seconds at most; one that holds neither the warehouse nor writable locations ' +
        'is named in `away`, and the service is ready without it.',
      answers: [
        { status: 200, description: 'It is ready.', shape: Readiness },
        { status: 503, description: 'It is not ready; `reason` says why.', shape: Readiness },
      ],
      problems: [],
      curl: 'curl $MORAINE/ready',
    },
    async ({ request }) => {
      try {
        await withinTime(catalog.ping(), 'the catalog database')
        const away = await health.findAway()
        const names = away.length > 0 && { away: away.map(({ name }) => name) }
        const needed = away.filter(({ isNeeded }) => isNeeded)
        if (needed.length > 0) {
          const reason = needed.map((each) => each.reason).join('; ')
          request.log.warn({ away }, `not ready: ${reason}`)
          return jsonReply({ status: 'not-ready', reason, ...names }, { status: 503 })
        }
        await withinTime(requireWarehouse(), 'the disk of the warehouse')
        return jsonReply({ status: 'ready', ...names })
      } catch (err) {
        const reason = reasonOf(err)
        request.log.warn({ err }, `not ready: ${reason}`)
        return jsonReply({ status: 'not-ready', reason }, { status: 503 })
      }
    },
  )

function reasonOf(error: unknown): string {
  if (error instanceof NoReplyError) return error.message
  if (error instanceof CatalogError && TOLD_CODES.includes(error.code)) return error.message
  const cause = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
  return `the catalog database does not respond${cause}`
}

const metrics = ({ metrics: shown }: OperationsDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/metrics',
      operationId: 'metrics',
      tag: OPERATIONS_TAG,
      permission: onCatalog('describe'),
      summary: 'Metrics for Prometheus',
      description: 'Those that name callers are there for whoever has `admin`.',
      answers: [
        {
          status: 200,
          description: 'Metrics in Prometheus’s text format.',
          shape: Text,
          mediaType: 'text/plain',
        },
      ],
      problems: [],
      curl: 'curl $MORAINE/metrics',
    },
    async ({ may }): Promise<Reply> => {
      const withCallers = await may('admin', { on: 'catalog', name: undefined })
      const body = await shown.text({ withCallers })
      return { status: 200, mediaType: shown.contentType, body }
    },
  )

const openapi = ({ pages, publicUrl }: OperationsDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/openapi.yaml',
      operationId: 'openapi',
      tag: OPERATIONS_TAG,
      permission: 'public',
      summary: 'This API as an OpenAPI document',
      answers: [
        {
          status: 200,
          description: 'An OpenAPI 3.1 document.',
          shape: Text,
          mediaType: 'application/yaml',
        },
      ],
      problems: ['route-not-found'],
      curl: 'curl $MORAINE/openapi.yaml',
    },
    async ({ request }): Promise<Reply> => {
      const body = await pages.openapiYaml(ownAddress(request, publicUrl))
      if (body !== undefined) return { status: 200, mediaType: 'application/yaml', body }
      throw new ProblemError('route-not-found', 'this service was installed without openapi.yaml')
    },
  )

const docs = ({ pages, publicUrl }: OperationsDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/docs',
      operationId: 'docs',
      tag: OPERATIONS_TAG,
      permission: 'public',
      summary: 'This API as a page for people',
      answers: [{ status: 200, description: 'The page.', shape: Text, mediaType: 'text/html' }],
      problems: [],
    },
    ({ request }): Reply => ({
      status: 200,
      mediaType: 'text/html',
      body: pages.docsHtml(ownAddress(request, publicUrl)),
    }),
  )

const problem = defineRoute(
  {
    method: 'get',
    path: '/problems/{code}',
    operationId: 'explainProblem',
    tag: OPERATIONS_TAG,
    permission: 'public',
    summary: 'Explain a problem, and what to do about it',
    description: 'The `type` of a problem document leads here.',
    parameters: { code: 'The last part of a problem’s `type`.' },
    answers: [
      {
        status: 200,
        description: 'The explanation, in Markdown.',
        shape: Text,
        mediaType: 'text/markdown',
      },
    ],
    problems: ['route-not-found'],
    curl: 'curl $MORAINE/problems/commit-conflict',
  },
  ({ param }): Reply => {
    const code = PROBLEM_CODES.find((known) => known === param('code'))
    if (code !== undefined) {
      return { status: 200, mediaType: 'text/markdown', body: problemMarkdown(code) }
    }
    throw new ProblemError('route-not-found', `no such problem: ${param('code')}`, {
      facts: { codes: PROBLEM_CODES },
    })
  },
)

export function operatorRoutes(deps: OperationsDependencies): readonly Route[] {
  return [home, health(deps), ready(deps), metrics(deps), openapi(deps), docs(deps), problem]
}
