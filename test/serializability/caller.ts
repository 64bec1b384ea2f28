import { parseExactJson, stringifyExactJson } from '../../src/formats/json/exact-json.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers of the public API, as any client sees them
export type Json = any

/** What a client knows of a request: its reply, or that there was none. */
export interface Told {
  readonly calledAt: number
  /** Infinity without a reply. */
  readonly answeredAt: number
  /** 0 without a reply. */
  readonly status: number
  readonly body: Json
}

export interface Asking {
  /** A GET without one. */
  readonly json?: unknown
  /** The connection is cut after this many milliseconds. */
  readonly cutAfterMs?: number
}

/** One request on the clock of this process. */
export async function callService(url: string, { json, cutAfterMs }: Asking = {}): Promise<Told> {
  const calledAt = performance.now()
  const headers = { 'content-type': 'application/json' }
  try {
    const response = await fetch(url, {
      headers,
      ...(json !== undefined && { method: 'POST', body: stringifyExactJson(json) }),
      ...(cutAfterMs !== undefined && { signal: AbortSignal.timeout(cutAfterMs) }),
    })
    const text = await response.text()
    const body = text === '' ? undefined : parseExactJson(text)
    return { calledAt, answeredAt: performance.now(), status: response.status, body }
  } catch {
    return { calledAt, answeredAt: Number.POSITIVE_INFINITY, status: 0, body: undefined }
  }
}

/** Refused: certainly not done. The rest of what failed may have been done. */
export function outcomeOf({ status, body }: Told): 'committed' | 'refused' | 'unknown' {
  if (status >= 200 && status < 300) return 'committed'
  if (status >= 400 && status < 500) return 'refused'
  return body?.type === '/problems/overloaded' ? 'refused' : 'unknown'
}
