import type { IncomingMessage } from 'node:http'
import type { AnswerKeeper } from '../kept-answer.ts'
import type { RestServices } from '../rest-services.ts'

export type IcebergMethod = 'GET' | 'HEAD' | 'POST' | 'DELETE'

/** One request to the Iceberg REST API. */
export interface IcebergCall {
  readonly deps: RestServices
  readonly request: IncomingMessage
  /** All that `config` advertises. */
  readonly endpoints: readonly string[]
  /** Of one given more than once the last; unknown ones are passed over, as newer clients send them. */
  readonly query: ReadonlyMap<string, string>
  /** JSON with exact 64-bit integers; `undefined` when the body is empty or the method takes none. */
  readonly body: unknown
  /** Keeps the answer to a request with an `Idempotency-Key` together with its effect. */
  readonly keeper: AnswerKeeper
  /** A part of the path, decoded. */
  param(name: string): string
  /** The levels that `{namespace}` names. */
  namespace(): readonly string[]
}

export interface IcebergReply {
  readonly status: number
  /** JSON in UTF-8, in pieces; none for an answer without a body. */
  readonly body?: readonly Uint8Array[]
  readonly headers?: Readonly<Record<string, string>>
}

export interface IcebergRoute {
  readonly method: IcebergMethod
  /** As the specification spells it, with `{prefix}`, which this service has none of. */
  readonly path: string
  /** Whether an `Idempotency-Key` counts. */
  readonly isMutation?: boolean
  /** Of arrays and objects within each other in the body; 64 when absent. */
  readonly bodyDepthMax?: number
  handle(call: IcebergCall): Promise<IcebergReply> | IcebergReply
}
