import type { NextFunction, Request, Response } from 'express'
import type { CatalogError } from '../../../core/errors.ts'
import { guardRequest } from '../../../http/guards.ts'
import { drain, parseJsonBody, readBody } from '../../../http/json-body.ts'
import { requestUrl } from '../../../http/request-log.ts'
import {
  answerKeeper,
  findKeptAnswer,
  KEEPS_NOTHING,
  type KeyedRequest,
  keyedRequest,
} from '../idempotency.ts'
import type { RestServices } from '../rest-services.ts'
import { errorReply, isFinalRefusal } from './error-model.ts'
import { replayReply } from './replay.ts'
import { ICEBERG_ROOT, type Match, matchRoute, servedPath } from './rest-matcher.ts'
import { sendIcebergReply } from './rest-reply.ts'
import type { IcebergCall, IcebergReply, IcebergRoute } from './rest-route.ts'

const BODY_BYTES_MAX = 64 * 1024 * 1024
const LEVEL_SEPARATOR = '\u001f'

/** Serves what is below `/iceberg`, with an error model and rules of its own; all else goes on. */
export function serveIceberg(routes: readonly IcebergRoute[], deps: RestServices) {
  const endpoints = routes.map(({ method, path }) => `${method} ${path}`)
  return (request: Request, response: Response, next: NextFunction) => {
    const url = requestUrl(request)
    if (url.startsWith(ICEBERG_ROOT) && '/?'.includes(url.charAt(ICEBERG_ROOT.length))) {
      return serve(request, response, url)
    }
    return next()
  }

  async function serve(request: Request, response: Response, url: string): Promise<void> {
    try {
      const [path = '', ...query] = url.split('?')
      guardRequest(request)
      const rest = path.slice(ICEBERG_ROOT.length)
      const match = matchRoute(routes, { method: request.method, path: rest })
      response.locals['route'] = ICEBERG_ROOT + servedPath(match.route)
      const call = callOf(request, match, query.join('?'))
      sendIcebergReply(request, response, await answer({ ...call, deps, endpoints }, match.route))
    } catch (error) {
      sendRefusal(request, response, error)
    }
  }

  async function answer(call: UnreadCall, route: IcebergRoute): Promise<IcebergReply> {
    const bytes =
      route.method === 'POST' ? await readBody(call.request, BODY_BYTES_MAX) : new Uint8Array()
    const keyed = route.isMutation === true ? keyedRequestOf(call, bytes) : undefined
    const body = () => parseJsonBody(bytes, BODY_BYTES_MAX, route.bodyDepthMax)
    if (keyed === undefined) {
      return route.handle({ ...call, body: body(), keeper: KEEPS_NOTHING })
    }
    return answerOnce(call, keyed, async () =>
      route.handle({ ...call, body: body(), keeper: answerKeeper(deps, keyed) }),
    )
  }
}

type UnreadCall = Omit<IcebergCall, 'body' | 'keeper'> & { readonly response: Response }

/**
 * A request that was answered before gets that answer. So does one whose own attempt failed because the same request,
 * sent twice, came first, or because only the word of its success was lost.
 */
async function answerOnce(
  call: UnreadCall,
  keyed: KeyedRequest,
  work: () => Promise<IcebergReply>,
): Promise<IcebergReply> {
  const before = await findKeptAnswer(call.deps, keyed)
  if (before !== undefined) return replayReply(call.deps, before)
  try {
    return await work()
  } catch (error) {
    const meanwhile = await findKeptAnswer(call.deps, keyed)
    if (meanwhile !== undefined) return replayReply(call.deps, meanwhile)
    const refusal = errorReply(call.request, error)
    if (!isFinalRefusal(refusal)) throw error
    const text = Buffer.concat(refusal.body ?? []).toString()
    const value: unknown = JSON.parse(text)
    await answerKeeper(call.deps, keyed).withoutEffect({
      ...{ kind: 'json', status: refusal.status, value },
    })
    return refusal
  }
}

function callOf(
  request: Request,
  { params }: Match,
  query: string,
): Omit<UnreadCall, 'deps' | 'endpoints'> {
  const param = (name: string) => params.get(name) ?? ''
  return {
    request,
    response: request.res as Response,
    query: new Map(new URLSearchParams(query)),
    param,
    namespace: () => param('namespace').split(LEVEL_SEPARATOR),
  }
}

function keyedRequestOf({ request }: UnreadCall, body: Uint8Array): KeyedRequest | undefined {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return undefined
  return keyedRequest(key, [request.method ?? '', requestUrl(request), body])
}

/** An answer that failed half-way is cut off: nothing half may look whole. */
function sendRefusal(request: Request, response: Response, error: unknown): void {
  if (response.destroyed) return
  if (response.headersSent) {
    request.log.error({ err: error }, 'an answer failed half-way')
    request.socket.resetAndDestroy()
    return
  }
  const { allowed } = (error as Partial<CatalogError> | null)?.facts ?? {}
  if (typeof allowed === 'string') response.setHeader('Allow', allowed)
  sendIcebergReply(request, response, errorReply(request, error))
  drain(request)
}
