import { verify } from 'node:crypto'
import type { PublicKeys } from './gcs-signature.ts'

/** What an account may do: the one that reads must not write, and the one that writes not read. */
export type AccountRights = ReadonlyMap<string, 'read' | 'write'>

/** A request as the store judges it. */
export interface JudgedRequest {
  readonly method: string
  readonly authorization: string | undefined
  readonly nowMs: number
}

/**
 * Who asks, by the token: as the library of Google makes them itself where the key is not of
 * Google's own universe, signed by the account (RFC 7519). `undefined` if it is nobody's.
 */
export function accountOf(
  { authorization = '', nowMs }: Omit<JudgedRequest, 'method'>,
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

/** Status and text of a refusal; `undefined` if the account may do it. */
export function findTokenFault(
  request: JudgedRequest,
  { keys, rights }: { readonly keys: PublicKeys; readonly rights: AccountRights },
): { readonly status: 401 | 403; readonly message: string } | undefined {
  const account = accountOf(request, keys)
  if (account === undefined) return { status: 401, message: 'Invalid Credentials' }
  const wanted = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write'
  if (rights.get(account) === wanted) return undefined
  return { status: 403, message: `${account} does not have the right to ${wanted} objects` }
}
