import type { IncomingMessage } from 'node:http'
import { requestInvalid } from '../problem.ts'
import { BODY_MS_MAX, bodyChunks, hasBody } from './json-body.ts'

/** Room for `{}`, which some clients always send, and blanks around it. */
const NOTHING_BYTES_MAX = 16

/**
 * For a route that takes no body: throws `request-invalid` unless there is none, or it is blank or
 * `{}`. A body that is ignored may say what is then not done, such as `{"dry_run":true}`.
 * `undefined` at once if there is none.
 */
export function requireNoContent(
  request: IncomingMessage,
  onStart: () => void,
): Promise<void> | undefined {
  if (!hasBody(request)) return undefined
  if (Number(request.headers['content-length'] ?? 0) > NOTHING_BYTES_MAX) throw notTaken()
  onStart()
  return readNothing(request)
}

async function readNothing(request: IncomingMessage): Promise<void> {
  const deadline = setTimeout(() => request.destroy(), BODY_MS_MAX)
  try {
    if (!isNothing(await readShort(request))) throw notTaken()
  } finally {
    clearTimeout(deadline)
  }
}

function isNothing(text: string): boolean {
  return /^\s*(?:\{\s*\})?\s*$/.test(text)
}

async function readShort(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of bodyChunks(request)) {
    if (text.length + chunk.length > NOTHING_BYTES_MAX) throw notTaken()
    text += Buffer.from(chunk).toString('latin1')
  }
  return text
}

function notTaken(): Error {
  const message = 'this route takes no body, and would ignore it: send none, or {}'
  return requestInvalid([{ path: 'body', message }])
}
