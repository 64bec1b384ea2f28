import type { IncomingMessage, ServerResponse } from 'node:http'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import type { IcebergReply } from './rest-route.ts'

export function json(
  value: unknown,
  { status = 200, headers = {} }: Partial<Pick<IcebergReply, 'status' | 'headers'>> = {},
): IcebergReply {
  return { status, headers, body: [utf8(stringifyExactJson(value))] }
}

export function noContent(): IcebergReply {
  return { status: 204 }
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function sendIcebergReply(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, headers = {} }: IcebergReply,
): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (body === undefined) {
    response.end()
    return
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.setHeader(
    'Content-Length',
    body.reduce((sum, piece) => sum + piece.length, 0),
  )
  // Node holds what a slow reader has not taken yet; the pieces are shared with other readers of the same version.
  if (request.method !== 'HEAD') for (const piece of body) response.write(piece)
  response.end()
}
