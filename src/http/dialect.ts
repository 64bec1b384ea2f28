import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { ProblemCode } from '../problem/problems.ts'
import type { Reply } from './reply.ts'
import type { Route } from './route.ts'

/**
 * A protocol that the service speaks below a root: everything that the pipeline does differently
 * for it. The rest is the same for all dialects.
 */
export interface Dialect {
  /** Empty for the service's own API, which gets all paths outside other roots. */
  readonly root: '' | `/${string}`
  /** Served, documented and counted. */
  readonly routes: readonly Route[]
  readonly paths: PathRules
  readonly bodies: BodyRules
  readonly errors: ErrorModel
  /** Validates an `Idempotency-Key`. */
  readonly keyRule: KeyRule
  /** JSON schema of `keyRule`, for documentation. */
  readonly keyDoc: Readonly<Record<string, unknown>> & { readonly description: string }
  /** Query parameters in the form that handlers of this dialect expect. */
  readQuery(query: string, route: Route): unknown
  /** Rebuilds responses of routes without their own `rebuild`. */
  readonly rebuild?: NonNullable<Route['rebuild']>
}

/** Converts the header to a key. Throws `request-invalid` if it is not one. */
export type KeyRule = (text: string) => string

export interface PathRules {
  /** The path that is served for a route's path in the specification. */
  served(path: string): string
  /** Decodes one percent-encoded segment. Throws if it is invalid. */
  decode(segment: string): string
  /** Whether a path parameter may be empty. */
  readonly allowsEmpty: boolean
  /** Whether GET routes serve HEAD; otherwise it needs routes of its own. */
  readonly headIsGet: boolean
  /** The error for a path without a route. */
  notFound(method: string, path: string): Error
}

export interface BodyRules {
  /**
   * Whether the route reads a JSON body of this request. Throws if it refuses the media type.
   */
  isRead(route: Route, request: IncomingMessage): boolean
  /** What becomes of a body that is not read: clients of a protocol may send any. */
  readonly unread: 'refused' | 'ignored'
  /** The body as the handler gets it, from its JSON. Throws if it does not fit the route. */
  read(json: unknown, route: Route): unknown
}

export interface ErrorModel {
  /** The response to any error; logs unexpected ones. */
  reply(request: IncomingMessage, error: unknown): Reply
  /** For documentation. */
  statusOf(code: ProblemCode): number
  readonly mediaType: string
  readonly shape: z.ZodType
}
