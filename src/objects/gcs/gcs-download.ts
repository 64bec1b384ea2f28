import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { addAbortSignal } from 'node:stream'
import { STORE_CONNECTIONS_MAX } from '../bucket/connections.ts'

const REFUSAL_LENGTH_MAX = 2_000

/**
 * Reads objects by HTTP itself: bodies that are cut must fail, and with the library of Google,
 * which reads by node-fetch 2, they never end.
 */
export class GcsDownloads {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: STORE_CONNECTIONS_MAX })
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: STORE_CONNECTIONS_MAX })

  /** Throws an error with the status as its `code` for what is no success. */
  async get(
    url: URL,
    options: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
  ): Promise<IncomingMessage> {
    const response = await this.#send(url, options)
    const { statusCode = 0 } = response
    if (statusCode < 300) return response
    const text = await startOf(addAbortSignal(options.signal, response))
    throw Object.assign(new Error(text || `status ${statusCode}`), { code: statusCode })
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  #send(
    url: URL,
    { headers, signal }: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // The caller may have waited for its token for longer than it had.
      signal.throwIfAborted()
      const sent =
        url.protocol === 'http:'
          ? httpRequest(url, { headers, agent: this.#http }, resolve)
          : httpsRequest(url, { headers, agent: this.#https }, resolve)
      const abort = () => sent.destroy(new Error('aborted'))
      signal.addEventListener('abort', abort, { once: true })
      sent.once('error', reject)
      // From then on whoever reads the body ends the request.
      sent.once('response', () => signal.removeEventListener('abort', abort))
      sent.end()
    })
  }
}

async function startOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk
    if (text.length > REFUSAL_LENGTH_MAX) break
  }
  return text.slice(0, REFUSAL_LENGTH_MAX)
}
