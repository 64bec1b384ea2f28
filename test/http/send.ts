import { type Response, Test } from 'supertest'

export interface Sent {
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
}

export interface Received {
  /** The method that was used: GET, or POST for a body. */
  readonly method: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends one request over the wire. A reply of any status is returned; redirects are not followed.
 */
export async function send(url: string, { method, headers, body }: Sent): Promise<Received> {
  const verb = method ?? (body === undefined ? 'GET' : 'POST')
  const { origin } = new URL(url)
  const request = new Test(origin, verb, url.slice(origin.length))
    .redirects(0)
    .ok(() => true)
    .buffer(true)
    .parse(readText)
    .serialize((bytes) => bytes) // else bytes would be written as JSON of them
  if (typeof body === 'string') request.type('text/plain;charset=UTF-8')
  for (const [name, value] of Object.entries(headers ?? {})) request.set(name, value)
  if (body !== undefined) request.send(typeof body === 'string' ? body : Buffer.from(body))
  const response = await request
  return {
    method: verb,
    status: response.status,
    headers: new Headers(response.headers),
    text: verb === 'HEAD' ? '' : response.body,
  }
}

/** Bytes as text, of any media type: callers know what they requested. */
function readText(response: Response, done: (error: Error | null, text: string) => void): void {
  const chunks: Buffer[] = []
  response.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
  response.on('end', () => done(null, Buffer.concat(chunks).toString('utf8')))
}
