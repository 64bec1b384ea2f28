import { z } from 'zod'
import { CATALOG_ERROR_CODES, CatalogError } from '../../core/errors.ts'
import { problemMarkdown } from '../../http/docs/problem-docs.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'

/** A catalog that does not answer for so long is not ready. */
const PING_MS_MAX = 5_000

const Health = z
  .strictObject({ status: z.literal('ok') })
  .meta({ id: 'Health', example: { status: 'ok' } })
const Readiness = z
  .strictObject({
    status: z.enum(['ready', 'not-ready']),
    reason: z.string().optional().meta({ description: 'Why it is not.' }),
  })
  .meta({ id: 'Readiness', example: { status: 'ready' } })
const Text = z.string()

const home = defineRoute(
  {
    method: 'get',
    path: '/',
    operationId: 'home',
    tag: 'operations',
    summary: 'Leads to /docs',
    answers: [
      {
        status: 302,
        description: 'To /docs.',
        headers: { Location: '/docs' },
      },
    ],
    problems: [],
  },
  () => ({ status: 302, mediaType: 'text/plain', body: '/docs\n', headers: { Location: '/docs' } }),
)

const health = defineRoute(
  {
    method: 'get',
    path: '/health',
    operationId: 'health',
    tag: 'operations',
    summary: 'Is the process alive?',
    answers: [{ status: 200, description: 'It is.', shape: Health }],
    problems: [],
    curl: 'curl $MORAINE/health',
  },
  () => jsonReply({ status: 'ok' }),
)

const ready = defineRoute(
  {
    method: 'get',
    path: '/ready',
    operationId: 'ready',
    tag: 'operations',
    summary: 'Can it serve?',
    description: 'Asks the catalog database.',
    answers: [
      { status: 200, description: 'It can.', shape: Readiness },
      { status: 503, description: 'It cannot; `reason` says why.', shape: Readiness },
    ],
    problems: [],
    curl: 'curl $MORAINE/ready',
  },
  async ({ deps, request }) => {
    try {
      await withinTime(deps.catalog.ping())
      return jsonReply({ status: 'ready' })
    } catch (err) {
      request.log.warn({ err }, 'not ready')
      const cause = err instanceof Error && 'code' in err ? ` (${String(err.code)})` : ''
      const reason = `the catalog database does not answer${cause}`
      return jsonReply({ status: 'not-ready', reason }, { status: 503 })
    }
  },
)

async function withinTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the catalog did not answer in time')), PING_MS_MAX)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const metrics = defineRoute(
  {
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    tag: 'operations',
    summary: 'Counts and times for Prometheus',
    answers: [
      { status: 200, description: 'Prometheus text.', shape: Text, mediaType: 'text/plain' },
    ],
    problems: [],
    curl: 'curl $MORAINE/metrics',
  },
  async (call): Promise<Reply> => ({
    status: 200,
    mediaType: call.metrics.contentType,
    body: await call.metrics.text(),
  }),
)

const openapi = defineRoute(
  {
    method: 'get',
    path: '/openapi.yaml',
    operationId: 'openapi',
    tag: 'operations',
    summary: 'This API, for machines',
    answers: [
      { status: 200, description: 'OpenAPI 3.1.', shape: Text, mediaType: 'application/yaml' },
    ],
    problems: ['route-not-found'],
    curl: 'curl $MORAINE/openapi.yaml',
  },
  async ({ pages }): Promise<Reply> => {
    const body = await pages.openapiYaml()
    if (body !== undefined) return { status: 200, mediaType: 'application/yaml', body }
    throw new CatalogError('route-not-found', 'openapi.yaml was not installed with this service')
  },
)

const docs = defineRoute(
  {
    method: 'get',
    path: '/docs',
    operationId: 'docs',
    tag: 'operations',
    summary: 'This API, for people',
    answers: [{ status: 200, description: 'One page.', shape: Text, mediaType: 'text/html' }],
    problems: [],
  },
  ({ pages }): Reply => ({ status: 200, mediaType: 'text/html', body: pages.docsHtml() }),
)

const problem = defineRoute(
  {
    method: 'get',
    path: '/problems/{code}',
    operationId: 'explainProblem',
    tag: 'operations',
    summary: 'What a problem means and what to do',
    description: 'The `type` of a problem document leads here.',
    answers: [{ status: 200, description: 'Markdown.', shape: Text, mediaType: 'text/markdown' }],
    problems: ['route-not-found'],
    curl: 'curl $MORAINE/problems/commit-conflict',
  },
  ({ param }): Reply => {
    const code = CATALOG_ERROR_CODES.find((known) => known === param('code'))
    if (code !== undefined) {
      return { status: 200, mediaType: 'text/markdown', body: problemMarkdown(code) }
    }
    throw new CatalogError('route-not-found', 'there is no such problem', {
      facts: { codes: CATALOG_ERROR_CODES },
    })
  },
)

export const OPERATOR_ROUTES: readonly Route[] = [
  home,
  health,
  ready,
  metrics,
  openapi,
  docs,
  problem,
]
