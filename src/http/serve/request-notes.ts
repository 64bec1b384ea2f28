import { METHODS } from 'node:http'
import type { Socket } from 'node:net'
import type { Request, Response } from 'express'
import { ANONYMOUS, type Principal, provenName, toldName } from '../authorizer.ts'
import type { Asked } from '../permission.ts'
import { requestTarget } from '../request-log.ts'
import type { Route } from '../route.ts'

/** Every method that a request may have. */
export const REQUEST_METHODS: readonly string[] = METHODS

/** What a request came to, for those who keep a record of requests. */
export interface EndedRequest {
  /** `undefined` if no route was found. */
  readonly route: Route | undefined
  /** As in grants; `anonymous` if nobody signed in, or anybody may have made the name up. */
  readonly principal: string
  /** The same where it is told who read, not counted. */
  readonly toldPrincipal: string
  readonly requestId: string
  /** The client's, as far as the proxies in between are trusted. */
  readonly address: string | undefined
  /** One of `REQUEST_METHODS`. */
  readonly method: string
  /** As the client wrote it, without the query. */
  readonly path: string
  /** The response's, whether or not it arrived as a whole. */
  readonly status: number
  /** Privileges that were asked for, in order; only the first of very many. */
  readonly asked: readonly Asked[]
  /** The one that was refused, if any. */
  readonly refused: Asked | undefined
  /** In the whole exchange, headers included. */
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** Called once for each request, when its response has ended; must not throw or wait. */
export interface RequestNotes {
  ended(request: EndedRequest): void
}

/** What the pipeline found out about a request so far. */
export interface RequestFacts {
  route?: Route
  principal?: Principal
  permissions?: { readonly asked: readonly Asked[]; readonly refused: Asked | undefined }
}

/** Bytes of earlier exchanges on the connection. */
const COUNTED = new WeakMap<Socket, { received: number; sent: number }>()

/** Facts about the request of a response; the pipeline adds to them. */
export function factsOf(response: Response): RequestFacts {
  const { locals } = response
  locals['facts'] ??= {}
  return locals['facts'] as RequestFacts
}

export function endedRequest(request: Request, response: Response): EndedRequest {
  const { route, principal = ANONYMOUS, permissions } = factsOf(response)
  return {
    ...{ route, method: request.method, status: response.statusCode },
    principal: provenName(principal),
    toldPrincipal: toldName(principal),
    requestId: request.id,
    path: requestTarget(request).replace(/[?#].*$/s, ''),
    address: request.clientAddress,
    asked: permissions?.asked ?? [],
    refused: permissions?.refused,
    ...takeBytes(request.socket),
  }
}

function takeBytes(socket: Socket): Pick<EndedRequest, 'bytesReceived' | 'bytesSent'> {
  const { bytesRead: received, bytesWritten: sent } = socket
  const before = COUNTED.get(socket)
  if (before === undefined) {
    COUNTED.set(socket, { received, sent })
    return { bytesReceived: received, bytesSent: sent }
  }
  const taken = { bytesReceived: received - before.received, bytesSent: sent - before.sent }
  before.received = received
  before.sent = sent
  return taken
}
