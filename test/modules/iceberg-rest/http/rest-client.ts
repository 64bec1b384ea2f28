import { parseExactJson, stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { send } from '../../../http/send.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of unknown form; tests read what they need.
export type Json = any

export interface RestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Json
}

export interface RestRequest {
  readonly method?: string
  /** Sent as JSON, bigints as bare integers. */
  readonly json?: unknown
  readonly raw?: string
  readonly headers?: Record<string, string>
}

/** Asks `/iceberg/v1<path>`. Every refusal must be of the specification's error model. */
export async function rest(
  service: { readonly url: string },
  path: string,
  { method, json, raw, headers = {} }: RestRequest = {},
): Promise<RestAnswer> {
  const received = await send(`${service.url}/iceberg/v1${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: json === undefined ? raw : stringifyExactJson(json),
  })
  const { status, text } = received
  const body = text === '' ? undefined : parseExactJson(text)
  const answer = { status, headers: received.headers, text, body }
  if (status >= 400 && received.method !== 'HEAD') requireErrorModel(answer)
  return answer
}

/** Returns the body of a reply that must have this status. */
export async function must(answer: Promise<RestAnswer>, status = 200): Promise<Json> {
  const { status: actual, text, body } = await answer
  if (actual !== status) throw new Error(`expected ${status}, got ${actual}: ${text}`)
  return body
}

/** Status, type and message of a refusal. */
export async function refused(answer: Promise<RestAnswer>): Promise<[number, string, string]> {
  const { status, body, text } = await answer
  if (status < 400) throw new Error(`expected a refusal, got ${status}: ${text}`)
  return [status, body.error.type, body.error.message]
}

/** As `refused`, for a test that is about a part of it. */
export async function refusal(
  answer: Promise<RestAnswer>,
): Promise<{ readonly status: number; readonly type: string; readonly message: string }> {
  const [status, type, message] = await refused(answer)
  return { status, type, message }
}

/** As in a path: levels joined by 0x1F, all encoded. */
export function inPath(...levels: readonly string[]): string {
  return levels.map(encodeURIComponent).join('%1F')
}

export const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'name', required: false, type: 'string' },
  ],
}

export function setProperties(updates: Record<string, string>) {
  return { action: 'set-properties', updates }
}

function requireErrorModel({ status, text, body }: RestAnswer): void {
  const { error } = (body ?? {}) as { error?: Record<string, unknown> }
  const isModel =
    typeof error?.['message'] === 'string' &&
    /^[A-Z]\w+(?:Exception|Error)$/.test(String(error['type'])) &&
    error['code'] === status
  if (!isModel) throw new Error(`not the error model: ${status} ${text}`)
}
