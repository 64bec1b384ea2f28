import { z } from 'zod'
import { PROBLEM_CODES, PROBLEMS, type ProblemCode } from '../../problem/problems.ts'
import type { Dialect, ErrorModel } from '../dialect.ts'
import { changes, IDEMPOTENCY_KEY } from '../idempotency/keyed-request.ts'
import { standardMembers } from '../problem.ts'
import { JSON_MEDIA_TYPE, PROBLEM_MEDIA_TYPE } from '../reply.ts'
import { type AnswerDoc, PATH_PARAMETERS, type Route } from '../route.ts'

export type JsonSchema = Readonly<Record<string, unknown>>
type Content = Readonly<
  Record<
    string,
    {
      readonly schema: JsonSchema
      readonly example?: unknown
      readonly examples?: Readonly<Record<string, unknown>>
    }
  >
>

export interface ParameterDoc {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

export interface ResponseDoc {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Content
}

export interface OperationDoc {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly ParameterDoc[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, ResponseDoc>>
  /** The required permission, in words. */
  readonly 'x-permission': string
  readonly 'x-codeSamples'?: readonly { readonly lang: string; readonly source: string }[]
}

export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDoc>>>>
  readonly components: {
    readonly examples: Readonly<Record<string, unknown>>
    readonly schemas: Readonly<Record<string, JsonSchema>>
  }
}

const API_VERSION = '1.0.0'
const DESCRIPTION = `Moraine keeps tables as immutable Apache Iceberg snapshots of data files.
Writers change them in transactions; readers get any table as it was at any moment.

Every error is a problem document (RFC 9457): switch on its \`type\`, \`/problems/<code>\`,
which says what to do. Below \`/iceberg\`, the Iceberg REST catalog, errors have the model of its
specification instead: \`error\` with \`message\`, \`type\` and \`code\`.
Paths in bodies (\`url\`, \`job_url\`, \`pinned_url\`, \`resume\`) are appended to the address of
the service, \`"$MORAINE$job_url"\`; those in \`Location\`, \`Content-Location\` and \`Link\` are
resolved against the address of the request, as HTTP clients do. Both hold behind a proxy.
64-bit ids are text. Times are RFC 3339 in UTC. Unknown members and parameters are refused.
Every response has an \`X-Request-Id\`, which is the client's own if it sent one.`

/** The OpenAPI document; the same routes give the same text. */
export function buildOpenApi(dialects: readonly Dialect[]): OpenApiDocument {
  const paths: Record<string, Record<string, OperationDoc>> = {}
  for (const dialect of dialects) {
    for (const route of dialect.routes) {
      const path = dialect.root + dialect.paths.served(route.path)
      paths[path] = { ...paths[path], [route.method]: operation(dialect, route) }
    }
  }
  const routes = dialects.flatMap((dialect) => dialect.routes)
  return {
    openapi: '3.1.0',
    info: { title: 'Moraine', version: API_VERSION, description: DESCRIPTION },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map(({ tag }) => tag))],
    paths,
    components: { examples: problemExamples(), schemas: componentSchemas() },
  }
}

function operation(dialect: Dialect, route: Route): OperationDoc {
  const parameters = [
    ...pathParameters(dialect.paths.served(route.path), route),
    ...queryParameters(route),
    ...(changes(route) ? [keyParameter(dialect)] : []),
  ]
  const body = requestBody(route)
  return {
    operationId: route.operationId,
    tags: [route.tag.name],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: withStanding({ ...answers(route), ...problems(dialect, route) }, route),
    'x-permission': permissionText(route),
    ...(route.curl === undefined
      ? {}
      : { 'x-codeSamples': [{ lang: 'Shell', source: route.curl }] }),
  }
}

function permissionText({ permission }: Route): string {
  if (permission === 'public') return 'none'
  if (permission === 'in-use-case') return 'on everything that the request names'
  return `${permission.privilege} on the ${permission.on}`
}

function pathParameters(path: string, { parameters = {} }: Route): readonly ParameterDoc[] {
  const known = { ...PATH_PARAMETERS, ...parameters }
  return [...path.matchAll(/\{([\w-]+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: known[name] ?? '',
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: Route): readonly ParameterDoc[] {
  return Object.entries(query?.shape ?? {}).map(([name, shape]) => {
    const { description, ...schema } = schemaOf(shape as z.ZodType)
    return {
      name,
      in: 'query',
      required: false,
      ...(typeof description === 'string' ? { description } : {}),
      schema,
    }
  })
}

function keyParameter({ keyDoc }: Dialect): ParameterDoc {
  const { description, ...schema } = keyDoc
  return { name: IDEMPOTENCY_KEY, in: 'header', required: false, description, schema }
}

function requestBody(route: Route): OperationDoc['requestBody'] {
  if (route.body === undefined) return undefined
  const uploads = (route.uploads ?? []).map((mediaType) => [
    mediaType,
    { schema: { type: 'string', format: 'binary' } },
  ])
  return {
    required: route.isBodyOptional !== true,
    content: {
      ...contentOf(JSON_MEDIA_TYPE, route.body),
      ...Object.fromEntries(uploads),
    },
  }
}

function answers({ answers: documented }: Route): Record<string, ResponseDoc> {
  return Object.fromEntries(documented.map((answer) => [String(answer.status), answerDoc(answer)]))
}

/** Whoever is not known yet, as with 401, is not told what they have. */
function withStanding(
  responses: Record<string, ResponseDoc>,
  { standingHeaders }: Route,
): Record<string, ResponseDoc> {
  if (standingHeaders === undefined) return responses
  const standing = headerDocs(standingHeaders.docs)
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      const headers = { ...response.headers, ...standing }
      return [status, status === '401' ? response : { ...response, headers }]
    }),
  )
}

function answerDoc(answer: AnswerDoc): ResponseDoc {
  const { shape, mediaType = JSON_MEDIA_TYPE, alternatives = {} } = answer
  const others = Object.entries(alternatives).map(([type, form]) => contentOf(type, form))
  return {
    description: answer.description,
    ...(answer.headers === undefined ? {} : { headers: headerDocs(answer.headers) }),
    ...(shape === undefined
      ? {}
      : { content: Object.assign(contentOf(mediaType, shape), ...others) }),
  }
}

function headerDocs(headers: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  )
}

function contentOf(mediaType: string, shape: z.ZodType): Content {
  const example = z.globalRegistry.get(shape)?.['example']
  return { [mediaType]: { schema: schemaOf(shape), ...(example === undefined ? {} : { example }) } }
}

/** Problems by status: those of any such route, and those of this one. */
function problems({ errors }: Dialect, route: Route): Record<string, ResponseDoc> {
  const codes = problemCodesOf(route)
  const statuses = [...new Set(codes.map((code) => errors.statusOf(code)))].sort()
  const documented = new Set(route.answers.map((answer) => answer.status))
  return Object.fromEntries(
    statuses
      .filter((status) => !documented.has(status))
      .map((status) => [
        String(status),
        problemResponse(
          errors,
          codes.filter((code) => errors.statusOf(code) === status),
        ),
      ]),
  )
}

const BODY_PROBLEMS: readonly ProblemCode[] = [
  'body-invalid',
  'body-too-large',
  'media-type-unsupported',
  'upload-too-slow',
]

const CREDENTIAL_PROBLEMS: readonly ProblemCode[] = [
  'credential-expired',
  'identity-provider-unavailable',
  'ckan-unavailable',
  'credential-invalid',
  'credential-missing',
  'credential-over-plain-http',
]

/** What is told to those who may not know that something exists. */
function hiddenProblems(permission: Route['permission']): readonly ProblemCode[] {
  if (typeof permission === 'string') {
    return ['namespace-not-found', 'table-not-found', 'view-not-found']
  }
  return permission.on === 'catalog' ? [] : [`${permission.on}-not-found`]
}

export function problemCodesOf(route: Route): readonly ProblemCode[] {
  const ofBody: readonly ProblemCode[] = route.body === undefined ? [] : BODY_PROBLEMS
  const ofKey: readonly ProblemCode[] = changes(route)
    ? ['idempotency-key-in-use', 'idempotency-key-reused']
    : []
  const isChanging = route.method !== 'get' && route.method !== 'head'
  const ofSite: readonly ProblemCode[] = isChanging
    ? ['origin-not-allowed', 'dataset-immutable']
    : []
  const ofCaller: readonly ProblemCode[] =
    route.permission === 'public'
      ? []
      : [
          ...CREDENTIAL_PROBLEMS,
          ...hiddenProblems(route.permission),
          ...([
            'permission-denied',
            'table-restricted',
            'path-not-readable',
            'catalog-damaged',
            'warehouse-unavailable',
          ] as const),
          ...(['storage-unavailable', 'storage-misconfigured'] as const),
        ]
  const codes = new Set<ProblemCode>([
    ...[...route.problems, ...ofBody, ...ofCaller, ...ofKey, ...ofSite],
    ...(['request-invalid', 'credential-in-url', 'host-not-allowed'] as const),
    ...(['internal', 'overloaded'] as const),
  ])
  return PROBLEM_CODES.filter((code) => codes.has(code))
}

function problemResponse(
  { mediaType, shape }: ErrorModel,
  codes: readonly ProblemCode[],
): ResponseDoc {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].meaning}`).join('\n\n'),
    content: {
      [mediaType]: {
        schema: schemaOf(shape),
        ...(mediaType === PROBLEM_MEDIA_TYPE && { examples: exampleReferences(codes) }),
      },
    },
  }
}

function exampleReferences(codes: readonly ProblemCode[]): Record<string, unknown> {
  return Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]))
}

function problemExamples(): Record<string, unknown> {
  const examples = PROBLEM_CODES.map((code) => {
    const summary = PROBLEMS[code].meaning
    const instance = '0b6f1f0e-8d0c-4b6e-9d55-2f6c1f0f7a11'
    return [code, { summary, value: standardMembers(code, { detail: summary, instance }) }]
  })
  return Object.fromEntries(examples)
}

/** A reference to a shape with an id, otherwise the schema itself. */
function schemaOf(shape: z.ZodType): JsonSchema {
  const id = z.globalRegistry.get(shape)?.id
  if (id !== undefined) return { $ref: componentUri(id) }
  return withoutHeader(z.toJSONSchema(shape, CONVERSION))
}

/** Uses the registry form, since the plain one returns a reference for a shape with an id. */
function componentSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(z.globalRegistry, { ...CONVERSION, uri: componentUri })
  return Object.fromEntries(
    Object.entries(schemas)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([id, schema]) => [id, withoutHeader(schema)]),
  )
}

function componentUri(id: string): string {
  return `#/components/schemas/${id}`
}

const CONVERSION: z.core.ToJSONSchemaParams = {
  io: 'input',
  unrepresentable: ({ zodSchema }) =>
    zodSchema._zod.def.type === 'bigint' ? { type: 'integer' } : 'any',
  override: ({ jsonSchema }) => {
    const node: Record<string, unknown> = jsonSchema
    if (!('example' in node)) return
    node['examples'] = [node['example']]
    delete node['example']
  },
}

function withoutHeader(schema: object): JsonSchema {
  const members = Object.entries(schema).filter(
    ([name]) => !['$schema', '$id', 'id', '~standard'].includes(name),
  )
  return Object.fromEntries(members)
}
