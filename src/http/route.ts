import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { Found } from '../core/access/found.ts'
import type { Privilege } from '../core/access/privilege.ts'
import type { RequirePaths } from '../core/access/require-paths.ts'
import type { Readers, Visibility } from '../core/access/visibility.ts'
import type { EventOrigin } from '../core/event-origin.ts'
import type { AnswerKeeper } from '../core/replay.ts'
import type { HeldPolicy } from '../core/table/table-policy.ts'
import type { ProblemCode } from '../problem/problems.ts'
import type { Principal, Target } from './authorizer.ts'
import { type BodyLimits, ORDINARY_BODY } from './body-limits.ts'
import type { AuthorizeFound, Permission, RowsShown } from './permission.ts'
import type { Reply } from './reply.ts'

/** One validated request. */
export interface Call<Query, Body, Parameter extends string = string> {
  readonly query: Query
  /** The parsed JSON body; `undefined` if there is none or it is an upload. */
  readonly body: Body
  /** The body as a stream, if it has one of the route's upload media types. */
  readonly upload: AsyncIterable<Uint8Array> | undefined
  readonly request: IncomingMessage
  readonly principal: Principal
  /** Who asks, as events keep it: for changes outside the catalog; `keeper` has it for others. */
  readonly origin: EventOrigin
  /** What lists show the principal: they are filtered where they are read. */
  readonly visibleTo: Visibility | undefined
  /** The same for lists that tell of rows, as `select` does. */
  readBy(): Readers | undefined
  /** Stores the response to a request with an `Idempotency-Key` together with its effect. */
  readonly keeper: AnswerKeeper
  /** Whether the principal may change anything at all: the keeper of one who may not throws. */
  readonly mayChange: boolean
  /** Aborted when the response is sent or the client has disconnected. */
  readonly closed: AbortSignal
  /** A path parameter, decoded. */
  param(name: Parameter): string
  /** The media type that the client prefers; `undefined` if it accepts none of these. */
  accepts(mediaTypes: readonly string[]): string | undefined
  /**
   * Throws `permission-denied` unless the principal has the privilege on all of these. A route
   * whose permission is `in-use-case` must call it before it returns.
   */
  authorize(privilege: Privilege, targets: readonly Target[], rows?: RowsShown): Promise<void>
  readonly authorizeFound: AuthorizeFound
  /** For `asking` (lake/table/asked-names.ts), by which handlers look up what was named. */
  readonly found: Found
  /** Whether the principal has the privilege, where another answer than a refusal follows. */
  may(privilege: Privilege, target: Target): Promise<boolean>
  /**
   * The policy on a table, if it holds for the principal: for routes whose permission has
   * `rows: 'filtered'`. `asked` as `PolicyOn` has it.
   */
  policyOn(tableUuid: string, asked?: string): HeldPolicy | undefined
  /** Whoever is given paths of files asks before it looks at any of them. */
  readonly requirePaths: RequirePaths
  /**
   * Throws `origin-not-allowed` if a page of another site caused the request. A route that only
   * reads, but starts work, must call it first.
   */
  requireOwnSite(): void
}

/** The names in `/v1/tables/{table_identifier}`. */
export type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never

/** Path parameters that mean the same in every route. */
export const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  table_identifier:
    'The name of a table (in namespace `default`), `namespace.name`, a deeper dotted name, or ' +
    'its UUID.',
  view_identifier:
    'The name of a view (in namespace `default`), `namespace.name`, a deeper dotted name, or ' +
    'its UUID.',
  namespace: 'Levels of a namespace, separated by dots.',
  snapshot_identifier: 'A snapshot id, `latest`, or the name of a branch or tag.',
}

/** The section of the documentation that lists a route. */
export interface Tag {
  readonly name: string
  readonly description: string
}

export interface AnswerDoc {
  readonly status: number
  readonly description: string
  readonly shape?: z.ZodType
  /** `application/json` by default. */
  readonly mediaType?: string
  /** Other forms of the response, by media type. */
  readonly alternatives?: Readonly<Record<string, z.ZodType>>
  readonly headers?: Readonly<Record<string, string>>
}

/** Headers that a route sends with every response once it knows the caller, refusals included. */
export interface StandingHeaders {
  /** Names and descriptions. */
  readonly docs: Readonly<Record<string, string>>
  of(
    caller: Pick<Call<unknown, unknown>, 'principal' | 'request'>,
  ): Readonly<Record<string, string>>
}

/** Everything about a route; serving, documentation and checks all derive from it. */
export interface RouteSpec<
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Path extends string = string,
> {
  readonly method: 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete'
  /** Path with `{parameters}`. */
  readonly path: Path
  /** Descriptions of parameters that are not in `PATH_PARAMETERS`. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly operationId: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** The permission that the caller needs. */
  readonly permission: Permission<z.output<Query>, ParameterOf<Path>>
  readonly query?: Query
  readonly body?: Body
  /** Whether an empty body means `{}`. */
  readonly isBodyOptional?: boolean
  /** Limits of the JSON body other than `ORDINARY_BODY`. */
  readonly bodyMax?: Partial<BodyLimits>
  /** Media types besides JSON, whose body is passed on as a stream. */
  readonly uploads?: readonly string[]
  /** Those of them that may have `Content-Encoding: gzip`, which the handler undoes. */
  readonly gzipUploads?: readonly string[]
  /**
   * Whatever the method, the request has no effect, so its `Idempotency-Key` is not stored.
   */
  readonly changesNothing?: true
  /**
   * The effect is in no database transaction with the response, so an `Idempotency-Key` is reserved
   * while the request is worked on.
   */
  readonly reservesKey?: true
  /** Shows rows to whoever has another privilege than `select`: the audit has its requests. */
  readonly showsRows?: true
  readonly standingHeaders?: StandingHeaders
  readonly answers: readonly AnswerDoc[]
  /** Problems besides those of every route. */
  readonly problems: readonly ProblemCode[]
  /** An example as a shell command, with `$MORAINE` for the address. */
  readonly curl?: string
}

export interface Route extends RouteSpec<z.ZodObject, z.ZodType> {
  handle(call: Call<never, never>): Promise<Reply> | Reply
  /** Rebuilds the response to a repeated request, if it was too long to store. */
  rebuild?(from: KeptFacts, repeated: RepeatedCall): Promise<Reply>
}

/** Facts that a route stored to rebuild its response from. */
export type KeptFacts = Readonly<Record<string, unknown>>

/** A request that was completed before. */
export interface RepeatedCall {
  /** The first response, without its body if that was too long to store. */
  readonly first: Reply
  /** The one that is repeated. */
  readonly request: IncomingMessage
  param(name: string): string
  /** As in `Call`: the caller may have lost privileges since. */
  readonly authorize: Call<unknown, unknown>['authorize']
  /** As in `Call`. */
  readonly requirePaths: RequirePaths
  /** As in `Call`. */
  readonly body: unknown
}

export function bodyLimitsOf({ bodyMax }: Pick<Route, 'bodyMax'>): BodyLimits {
  return bodyMax === undefined ? ORDINARY_BODY : { ...ORDINARY_BODY, ...bodyMax }
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
 * The order in which routes are tried: fixed segments come before parameters, and parameters with
 * an ending (`{name}.csv`) before others. Otherwise, the order stays as given.
 */
export function inMatchingOrder<Of extends Pick<Route, 'path'>>(
  routes: readonly Of[],
): readonly Of[] {
  const keyed = routes.map((route) => ({ route, key: matchingKey(route) }))
  keyed.sort((left, right) => (left.key < right.key ? -1 : Number(left.key > right.key)))
  return keyed.map(({ route }) => route)
}

/** One letter for each segment: `f` for a fixed text, `g` or `p` for a parameter. */
function matchingKey({ path }: Pick<Route, 'path'>): string {
  return path.split('/').map(letterOf).join('')
}

/** Parameters with an ending are tried before those that take anything. */
function letterOf(segment: string): string {
  if (!segment.startsWith('{')) return 'f'
  return segment.endsWith('}') ? 'p' : 'g'
}
