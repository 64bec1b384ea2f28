import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { type HttpLogger, pinoHttp } from 'pino-http'

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/
const URL_LENGTH_MAX = 2_000
/** Asked every few seconds by machines: not worth a line each. */
const QUIET = /^\/(?:health|ready|metrics)(?:\?|$)/

/** One line a request, under the request id that the client gave or gets. Neither headers nor bodies are logged. */
export function requestLog(log: Logger): HttpLogger {
  return pinoHttp({
    logger: log,
    genReqId: requestId,
    quietReqLogger: true,
    customLogLevel: (request, response, error) => {
      if (error !== undefined || response.statusCode >= 500) return 'error'
      return QUIET.test(request.url ?? '') ? 'debug' : 'info'
    },
    wrapSerializers: false,
    serializers: {
      req: (request: IncomingMessage) => ({
        method: request.method,
        url: requestUrl(request).slice(0, URL_LENGTH_MAX),
        remoteAddress: request.socket.remoteAddress,
        userAgent: request.headers['user-agent']?.slice(0, URL_LENGTH_MAX),
      }),
      res: (response: ServerResponse) => ({ statusCode: response.statusCode }),
    },
  })
}

/** As the client sent it: Express shortens `url` while it routes. */
export function requestUrl(request: IncomingMessage): string {
  return (request as { originalUrl?: string }).originalUrl ?? request.url ?? ''
}

function requestId(request: IncomingMessage, response: ServerResponse): string {
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
  response.setHeader('X-Request-Id', id)
  return id
}
