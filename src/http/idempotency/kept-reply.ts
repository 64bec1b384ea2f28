import type { KeptAnswer } from '../../core/replay.ts'
import { parseExactJson, stringifyExactJson } from '../../formats/json/exact-json.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../reply.ts'

/** Longer responses are rebuilt from the current state. */
export const KEPT_BYTES_MAX = 64 * 1024

/**
 * A response as it is stored: verbatim, as facts to rebuild it from, or both.
 */
export interface StoredAnswer {
  readonly headers?: Readonly<Record<string, string>>
  readonly mediaType?: string
  readonly text?: string
  readonly from?: Readonly<Record<string, unknown>>
}

export function storedText({ headers, value, from, isProvisional }: KeptAnswer): string {
  const text = value === undefined ? undefined : stringifyExactJson(value)
  // Without facts to rebuild it from, it must be stored whatever its length.
  const isKept = text !== undefined && (isShort(text) || from === undefined)
  const isMadeAgain = from !== undefined && (!isKept || isProvisional === true)
  const stored: StoredAnswer = {
    ...(headers === undefined ? {} : { headers }),
    ...(isKept ? { mediaType: JSON_MEDIA_TYPE, text } : {}),
    ...(isMadeAgain ? { from } : {}),
  }
  return stringifyExactJson(stored)
}

/** A whole reply; `undefined` if it is too long to store, or secret. */
export function storedReply(reply: Reply): string | undefined {
  const { headers, mediaType, body, isSecret = false } = reply
  const text = isSecret ? undefined : textOf(body)
  if (text === undefined || !isShort(text)) return undefined
  const stored: StoredAnswer = {
    ...(headers === undefined ? {} : { headers }),
    ...(mediaType === undefined ? {} : { mediaType, text }),
  }
  return stringifyExactJson(stored)
}

function textOf(body: Reply['body']): string | undefined {
  if (body === undefined) return ''
  if (typeof body === 'string') return body
  if (typeof body === 'function' || !('pieces' in body)) return undefined
  const { pieces } = body
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return length > KEPT_BYTES_MAX ? undefined : Buffer.concat(pieces).toString()
}

/** The reply that was stored verbatim. */
export function replyOf(status: number, { headers, mediaType, text }: StoredAnswer): Reply {
  return {
    status,
    ...(headers === undefined ? {} : { headers }),
    ...(mediaType === undefined || text === undefined ? {} : { mediaType, body: text }),
  }
}

export function readStored(body: string): StoredAnswer {
  return parseExactJson(body) as StoredAnswer
}

function isShort(text: string): boolean {
  return Buffer.byteLength(text) <= KEPT_BYTES_MAX
}
