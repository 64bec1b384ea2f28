import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { addAbortSignal } from 'node:stream'
import { text } from 'node:stream/consumers'
import { STORE_CONNECTIONS_MAX } from '../bucket/connections.ts'

const REFUSAL_LENGTH_MAX = 2_000

export interface GcsRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Ends it, and closes its connection. */
  readonly signal: AbortSignal
}

/**
 * HTTP by itself: bodies that are cut must fail, and with the library of Google, which reads by
 * node-fetch 2, they never end; nor does it hand signals on, so what nobody waits for any more goes
 * on. Throws errors with the status as their `code` for what is no success.
 */
export class GcsHttp {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: STORE_CONNECTIONS_MAX })
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: STORE_CONNECTIONS_MAX })

  /** Whoever reads the body ends it: the signal is for what comes before. */
  async open(url: URL, request: GcsRequest): Promise<IncomingMessage> {
    const response = await this.#send(url, request)
    const { statusCode = 0 } = response
    if (statusCode < 300) return response
    const told = await startOf(addAbortSignal(request.signal, response))
    throw Object.assign(new Error(told || `status ${statusCode}`), { code: statusCode })
  }

  /** The answer in JSON; `undefined` if it is empty. */
  async ask(url: URL, request: GcsRequest): Promise<unknown> {
    const told = await text(addAbortSignal(request.signal, await this.open(url, request)))
    return told === '' ? undefined : JSON.parse(told)
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  #send(url: URL, { method = 'GET', headers, body, signal }: GcsRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // The caller may have waited for its token for longer than it had.
      signal.throwIfAborted()
      const sent =
        url.protocol === 'http:'
          ? httpRequest(url, { method, headers, agent: this.#http }, resolve)
          : httpsRequest(url, { method, headers, agent: this.#https }, resolve)
      const abort = () => sent.destroy(new Error('aborted'))
      signal.addEventListener('abort', abort, { once: true })
      sent.once('error', reject)
      // From then on whoever reads the body ends the request.
      sent.once('response', () => signal.removeEventListener('abort', abort))
      sent.end(body)
    })
  }
}

async function startOf(response: IncomingMessage): Promise<string> {
  let told = ''
  for await (const chunk of response.setEncoding('utf8')) {
    told += chunk
    if (told.length > REFUSAL_LENGTH_MAX) break
  }
  return told.slice(0, REFUSAL_LENGTH_MAX)
}
