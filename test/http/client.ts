import { problemCodesOf } from '../../src/http/docs/openapi.ts'
import { inMatchingOrder, type Route } from '../../src/http/route.ts'
import { documentedRoutes } from '../../src/modules.ts'
import { send } from './send.ts'

const ROUTES = inMatchingOrder(documentedRoutes())

/** JSON of unknown form: a test reads the members that it is about. */
// biome-ignore lint/suspicious/noExplicitAny: replies are checked against their documented shape.
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Json
}

export interface RequestOptions {
  readonly method?: string
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is. */
  readonly raw?: string | Uint8Array
  readonly headers?: Record<string, string>
}

/** Sends a request, and checks the reply against what openapi.yaml says about it. */
export async function ask(
  service: { readonly url: string },
  path: string,
  { method, json, raw, headers = {} }: RequestOptions = {},
): Promise<Answer> {
  const received = await send(service.url + path, {
    method,
    headers: { ...(json === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    body: json === undefined ? raw : JSON.stringify(json),
  })
  const { status, text } = received
  const type = received.headers.get('content-type') ?? ''
  const isJson = /json(;|$)/.test(type) && !type.includes('ndjson') && text !== ''
  const body = isJson ? JSON.parse(text) : undefined
  const answer = { status, headers: received.headers, text, body }
  requireDocumented(service.url + path, received.method, answer)
  return answer
}

export async function post(service: { readonly url: string }, path: string, json: unknown) {
  return ask(service, path, { method: 'POST', json })
}

/** Returns the body of a reply that must have this status. */
export async function must(answer: Promise<Answer>, status = 200): Promise<Json> {
  const { status: actual, text, body } = await answer
  if (actual !== status) throw new Error(`expected ${status}, got ${actual}: ${text}`)
  return body
}

function requireDocumented(url: string, method: string, answer: Answer): void {
  const route = findRoute(new URL(url).pathname, method)
  if (route === undefined || answer.body === undefined || answer.status === 405) return
  const documented = route.answers.find(({ status }) => status === answer.status)
  if (documented?.shape !== undefined) {
    const parsed = documented.shape.safeParse(answer.body)
    if (parsed.success) return
    throw new Error(`${route.operationId} returns what is not documented: ${parsed.error}`)
  }
  const codes: readonly string[] = problemCodesOf(route)
  if (codes.includes(answer.body.type?.replace('/problems/', ''))) return
  throw new Error(`${route.operationId} does not document ${answer.status} ${answer.text}`)
}

function findRoute(path: string, method: string): Route | undefined {
  const wanted = method.toLowerCase() === 'head' ? 'get' : method.toLowerCase()
  return ROUTES.find((route) => {
    const pattern = new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`)
    return route.method === wanted && pattern.test(path)
  })
}
