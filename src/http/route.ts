import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { CatalogErrorCode } from '../core/errors.ts'
import type { DumpStreams } from '../modules/dumps/http/dump-streams.ts'
import type { ServiceDependencies } from '../service-dependencies.ts'
import type { Metrics } from './metrics.ts'
import type { Reply } from './reply.ts'

export interface Pages {
  /** `undefined` when the file was not installed with the service. */
  openapiYaml(): Promise<string | undefined>
  docsHtml(): string
}

/** What handlers work with, the same for every request. */
export interface RouteContext {
  readonly deps: ServiceDependencies
  readonly metrics: Metrics
  readonly pages: Pages
  readonly dumpStreams: DumpStreams
}

/** One request, checked. */
export interface Call<Query, Body> extends RouteContext {
  readonly query: Query
  /** Of the JSON body; `undefined` when there is none or it is an upload. */
  readonly body: Body
  /** The body as it comes in, when it has one of the route's upload media types. */
  readonly upload: AsyncIterable<Uint8Array> | undefined
  readonly request: IncomingMessage
  /** Aborted when the answer is out, or the client is gone before. */
  readonly closed: AbortSignal
  /** A part of the path, decoded. */
  param(name: PathParameter): string
  /** The first of these media types that the client prefers; `undefined` when it takes none. */
  accepts(mediaTypes: readonly string[]): string | undefined
}

export const PATH_PARAMETERS = {
  table_identifier:
    'The name of a table (in namespace `default`), `namespace.name`, a deeper dotted name, or its UUID.',
  view_identifier:
    'The name of a view (in namespace `default`), `namespace.name`, a deeper dotted name, or its UUID.',
  snapshot_identifier: 'A snapshot id, `latest`, or the name of a branch or tag.',
  transaction_id: 'As it was given at the start.',
  code: 'The last part of a problem’s `type`.',
} as const

export type PathParameter = keyof typeof PATH_PARAMETERS

export const TAGS = {
  tables: 'Tables: create, find, read at any moment, describe, clone, roll back, drop.',
  schemas: 'Schemas and their evolution.',
  views: 'Views: queries by name, in the dialects of several engines.',
  files: 'Adding and removing data files.',
  dumps: 'Any snapshot as one file: CSV, NDJSON, Parquet or Arrow.',
  transactions: 'Several changes, to one table or many, that become visible at once.',
  operations: 'For operators and readers.',
} as const

export interface AnswerDoc {
  readonly status: number
  readonly description: string
  readonly shape?: z.ZodType
  /** `application/json` when absent. */
  readonly mediaType?: string
  /** Beside the shape: other forms of the answer, by media type. */
  readonly alternatives?: Readonly<Record<string, z.ZodType>>
  readonly headers?: Readonly<Record<string, string>>
}

/** All that there is to know of a route: it is served and documented from this. */
export interface RouteSpec<Query extends z.ZodObject, Body extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** With `{parameters}`. */
  readonly path: string
  readonly operationId: string
  readonly tag: keyof typeof TAGS
  readonly summary: string
  readonly description?: string
  readonly query?: Query
  readonly body?: Body
  /** An empty body stands for `{}`. */
  readonly isBodyOptional?: boolean
  /** Media types that are taken as they are, beside JSON. */
  readonly uploads?: readonly string[]
  readonly answers: readonly AnswerDoc[]
  /** Beside those that any route may answer. */
  readonly problems: readonly CatalogErrorCode[]
  /** As a shell command, with `$MORAINE` for the address. */
  readonly curl?: string
}

export interface Route extends RouteSpec<z.ZodObject, z.ZodType> {
  handle(call: Call<never, never>): Promise<Reply> | Reply
}

export function defineRoute<
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>(
  spec: RouteSpec<Query, Body>,
  handle: (call: Call<z.output<Query>, z.output<Body>>) => Promise<Reply> | Reply,
): Route {
  return { ...spec, handle }
}
