import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { ProblemCode } from '../problem/problems.ts'
import type { Reply } from './reply.ts'
import type { Route } from './route.ts'

/**
 * A protocol that the service speaks below a root, and all that its pipeline does differently
 * there. Whatever is not here holds for every dialect.
 */
export interface Dialect {
  /** Empty for the service's own API, which takes every path that no other root has. */
  readonly root: '' | `/${string}`
  /** Served, documented and counted. */
  readonly routes: readonly Route[]
  readonly paths: PathRules
  readonly bodies: BodyRules
  readonly errors: ErrorModel
  /** What an `Idempotency-Key` may be. */
  readonly keyRule: KeyRule
  /** `keyRule` for the documents, as JSON schema. */
  readonly keyDoc: Readonly<Record<string, unknown>> & { readonly description: string }
  /** The parameters after the question mark, as handlers of this dialect take them. */
  readQuery(query: string, route: Route): unknown
  /** For routes without a `rebuild` of their own. */
  readonly rebuild?: NonNullable<Route['rebuild']>
}

/** Turns the header into a key. Throws `request-invalid` for what is none. */
export type KeyRule = (text: string) => string

export interface PathRules {
  /** A route's path as it is served: the specification may spell more than is served. */
  served(path: string): string
  /** Undoes the percent-encoding of one segment. Throws for a bad one. */
  decode(segment: string): string
  /** Whether a parameter may be the empty text. */
  readonly allowsEmpty: boolean
  /** Whether HEAD is answered as GET; otherwise it needs routes of its own. */
  readonly headIsGet: boolean
  /** What to throw for a path that no route has. */
  notFound(path: string): Error
}

export interface BodyRules {
  readonly bytesMax: number
  /**
   * Whether the route reads a JSON body of this request. Throws for a media type that it refuses.
   */
  isRead(route: Route, request: IncomingMessage): boolean
  /** What the handler gets of the bytes. Throws for a body that is not as the route wants it. */
  parse(bytes: Uint8Array, route: Route): unknown
}

export interface ErrorModel {
  /** What the client sees of any error; what was unforeseen goes to the log. */
  reply(request: IncomingMessage, error: unknown): Reply
  /** For the documents. */
  statusOf(code: ProblemCode): number
  readonly mediaType: string
  readonly shape: z.ZodType
}
