import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { PROBLEMS, type ProblemCode } from '../../problem/problems.ts'
import { standardMembers } from '../problem.ts'
import { LINE_END, PROBLEM_MEDIA_TYPE } from '../reply.ts'

/** How long a client may go on sending what nobody reads, so that it can read the problem. */
const LINGER_MS = 500

interface Refusal {
  readonly code: ProblemCode
  readonly detail: string
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    code: 'headers-too-large',
    detail: 'the URL and the headers together have more than 16 KiB',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    code: 'body-too-large',
    detail: 'the chunks of the body have extensions of more than 16 KiB',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'upload-too-slow',
    detail: 'the headers of the request did not arrive in time',
  },
  HPE_INVALID_METHOD: { code: 'request-invalid', detail: 'the method is none of HTTP’s' },
}

/** Answers requests that Node's parser refuses, and expectations, with problem documents. */
export function answerUnparsed(server: Server, log: Pick<Logger, 'info'>): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || hasBegun(socket)) {
      socket.destroy()
      return
    }
    const refusal = refusalOf(error)
    log.info({ code: error.code, problem: refusal.code }, `refused unread: ${error.message}`)
    endWith(socket, refusal)
  })
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined)
    endWith(socket, { code: 'request-invalid', detail: 'CONNECT is for proxies, which it is not' })
  })
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const detail = 'the service knows no expectation but "100-continue"'
    const { body, headers, status } = problemOf({ code: 'request-invalid', detail })
    response.writeHead(status, headers).end(body)
  })
}

function endWith(socket: Socket, refusal: Refusal): void {
  const { body, headers, status } = problemOf(refusal)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const first = `HTTP/1.1 ${status} ${PROBLEMS[refusal.code].title}`
  socket.end([first, ...lines, '', body].join('\r\n'))
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** Whether part of a response is sent already: another one would look like its end. */
function hasBegun(socket: Socket): boolean {
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null }
  return response?.headersSent === true
}

function refusalOf({ code = '', message }: NodeJS.ErrnoException): Refusal {
  const known = REFUSALS[code]
  if (known !== undefined) return known
  const reason = message.replace(/^Parse Error: /, '')
  return { code: 'request-invalid', detail: `the request is not valid HTTP/1.1: ${reason}` }
}

function problemOf({ code, detail }: Refusal) {
  const instance = randomUUID()
  const body = stringifyExactJson(standardMembers(code, { detail, instance })) + LINE_END
  const headers = {
    'Content-Type': PROBLEM_MEDIA_TYPE,
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': instance,
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
  }
  return { body, headers, status: PROBLEMS[code].status }
}
