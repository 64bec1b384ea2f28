import { verify } from 'node:crypto'
import { askedOf, requestsIn, type SentRequest } from './gcs-request.ts'
import type { PublicKeys } from './gcs-signature.ts'
import type { StsStandIn } from './sts-stand-in.ts'

/** What an account may do: the one that reads must not write, and the one that writes not read. */
export type AccountRights = ReadonlyMap<string, 'read' | 'write'>

/** A request as the store judges it. */
export interface JudgedRequest extends SentRequest {
  readonly nowMs: number
}

export interface TokenFault {
  readonly status: 401 | 403
  readonly message: string
}

/** Status and text of a refusal; `undefined` if whoever has the token may do it. */
export type TokenJudge = (request: JudgedRequest) => TokenFault | undefined

/**
 * Who asks, by the token: as the library of Google makes them itself where the key is not of
 * Google's own universe, signed by the account (RFC 7519). `undefined` if it is nobody's.
 */
export function accountOf(
  { authorization = '', nowMs }: Pick<JudgedRequest, 'authorization' | 'nowMs'>,
  keys: PublicKeys,
): string | undefined {
  const [, header = '', payload = '', signature = ''] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization) ?? []
  if (payload === '') return undefined
  const { iss = '', exp = 0 } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const key = keys.get(iss)
  if (key === undefined || nowMs >= exp * 1_000) return undefined
  const signed = Buffer.from(`${header}.${payload}`)
  const isValid = verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))
  return isValid ? iss : undefined
}

/** Accounts that may read or write, whatever the object. */
export function accountJudge(keys: PublicKeys, rights: AccountRights): TokenJudge {
  return (request) => {
    const account = accountOf(request, keys)
    if (account === undefined) return { status: 401, message: 'Invalid Credentials' }
    const wanted = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write'
    if (rights.get(account) === wanted) return undefined
    return { status: 403, message: `${account} does not have the right to ${wanted} objects` }
  }
}

/** The service's own tokens may do all, those that were bounded what they were bounded to. */
export function boundedJudge(tokens: Pick<StsStandIn, 'allows' | 'isOwn'>): TokenJudge {
  const judge = ({ authorization = '', ...request }: SentRequest): TokenFault | undefined => {
    const [, token = ''] = /^Bearer (\S+)$/.exec(authorization) ?? []
    if (tokens.isOwn(token)) return undefined
    if (!token.startsWith('bounded-')) return { status: 401, message: 'Invalid Credentials' }
    const asked = askedOf(request)
    if (asked?.every((each) => tokens.allows(token, each))) return undefined
    const wanted = `${request.method} ${request.target}`
    return { status: 403, message: `the token does not have the right to ${wanted}` }
  }
  // Google refuses the part; here the whole batch is.
  return (request) => {
    const faults = requestsIn(request).map(judge)
    return faults.length === 0
      ? { status: 401, message: 'an empty batch' }
      : faults.find((fault) => fault !== undefined)
  }
}
