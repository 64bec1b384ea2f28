import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { AnswerKeeper } from '../core/replay.ts'
import type { ProblemCode } from '../problem/problems.ts'
import type { Principal, Privilege, Target } from './authorizer.ts'
import type { Permission } from './permission.ts'
import type { Reply } from './reply.ts'

/** One request, checked. */
export interface Call<Query, Body, Parameter extends string = string> {
  readonly query: Query
  /** The parsed JSON body; `undefined` if there is none or it is an upload. */
  readonly body: Body
  /** The body as it comes in, when it has one of the route's upload media types. */
  readonly upload: AsyncIterable<Uint8Array> | undefined
  readonly request: IncomingMessage
  readonly principal: Principal
  /** Keeps the answer to a request with an `Idempotency-Key` together with its effect. */
  readonly keeper: AnswerKeeper
  /** Aborted when the answer is out, or the client is gone before. */
  readonly closed: AbortSignal
  /** A part of the path, decoded. */
  param(name: Parameter): string
  /** The first of these media types that the client prefers; `undefined` when it takes none. */
  accepts(mediaTypes: readonly string[]): string | undefined
  /**
   * Throws `permission-denied` unless the principal has the privilege on all of these. A route
   * whose permission is `in-use-case` must have asked before it answers.
   */
  authorize(privilege: Privilege, targets: readonly Target[]): Promise<void>
}

/** The names in `/v1/tables/{table_identifier}`. */
export type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never

/** Parts of a path that mean the same wherever they stand. */
export const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  table_identifier:
    'The name of a table (in namespace `default`), `namespace.name`, a deeper dotted name, or ' +
    'its UUID.',
  view_identifier:
    'The name of a view (in namespace `default`), `namespace.name`, a deeper dotted name, or ' +
    'its UUID.',
  snapshot_identifier: 'A snapshot id, `latest`, or the name of a branch or tag.',
}

/** Under which the documents list a route. */
export interface Tag {
  readonly name: string
  readonly description: string
}

export interface AnswerDoc {
  readonly status: number
  readonly description: string
  readonly shape?: z.ZodType
  /** `application/json` when absent. */
  readonly mediaType?: string
  /** Other forms of the response besides the shape, by media type. */
  readonly alternatives?: Readonly<Record<string, z.ZodType>>
  readonly headers?: Readonly<Record<string, string>>
}

/** All that there is to know of a route: it is served, documented and checked from this. */
export interface RouteSpec<
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Path extends string = string,
> {
  readonly method: 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete'
  /** With `{parameters}`. */
  readonly path: Path
  /** What the parameters are that `PATH_PARAMETERS` does not tell of. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly operationId: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** What the caller must be allowed to. */
  readonly permission: Permission<z.output<Query>, ParameterOf<Path>>
  readonly query?: Query
  readonly body?: Body
  /** An empty body stands for `{}`. */
  readonly isBodyOptional?: boolean
  /** Deepest nesting of arrays and objects in the body; 64 when absent. */
  readonly bodyDepthMax?: number
  /** Media types that are accepted unparsed, besides JSON. */
  readonly uploads?: readonly string[]
  /**
   * Whatever the method: a repeated request has no effect, so that its `Idempotency-Key` is not
   * kept.
   */
  readonly changesNothing?: true
  readonly answers: readonly AnswerDoc[]
  /** Besides those that any route may return. */
  readonly problems: readonly ProblemCode[]
  /** As a shell command, with `$MORAINE` for the address. */
  readonly curl?: string
}

export interface Route extends RouteSpec<z.ZodObject, z.ZodType> {
  handle(call: Call<never, never>): Promise<Reply> | Reply
  /** Makes the answer to a repeated request again, from what was kept of one that was too long. */
  rebuild?(from: KeptFacts, repeated: RepeatedCall): Promise<Reply>
}

/** What a route has kept to make its answer from again. */
export type KeptFacts = Readonly<Record<string, unknown>>

/** A request that was handled before. */
export interface RepeatedCall {
  /** The first answer; without its body if that was too long to keep. */
  readonly first: Reply
  param(name: string): string
  /** As in `Call`. */
  readonly body: unknown
}

export function defineRoute<
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
  const Path extends string = string,
>(
  spec: RouteSpec<Query, Body, Path>,
  handle: (
    call: Call<z.output<Query>, z.output<Body>, ParameterOf<Path>>,
  ) => Promise<Reply> | Reply,
  rebuild?: Route['rebuild'],
): Route {
  return { ...spec, handle, ...(rebuild === undefined ? {} : { rebuild }) }
}

/**
 * The order in which a path is held against the routes: where two could match, the one whose text
 * is fixed comes before the one that takes any. Among equals it is theirs.
 */
export function inMatchingOrder<Of extends Pick<Route, 'path'>>(
  routes: readonly Of[],
): readonly Of[] {
  const keyed = routes.map((route) => ({ route, key: matchingKey(route) }))
  keyed.sort((left, right) => (left.key < right.key ? -1 : Number(left.key > right.key)))
  return keyed.map(({ route }) => route)
}

/** A letter for each segment: `f` of a fixed text, `p` of a parameter. */
function matchingKey({ path }: Pick<Route, 'path'>): string {
  return path
    .split('/')
    .map((segment) => (segment.startsWith('{') ? 'p' : 'f'))
    .join('')
}
