import type { StoreFault } from '../bucket/bucket-client.ts'
import { isNetworkError } from '../bucket/network-error.ts'

const BY_STATUS: Readonly<Record<number, StoreFault>> = {
  401: 'credentials-refused',
  403: 'rights-missing',
  404: 'missing',
  408: 'busy',
  412: 'precondition',
  416: 'beyond-end',
  429: 'busy',
  501: 'not-supported',
}
/** Code of the error of a body that does not have the CRC32C that the store told. */
export const OTHER_CHECKSUM = 'OTHER_CHECKSUM'
const NO_BUCKET = /bucket (?:does|did) not exist/i
const REFUSED = /invalid_grant|invalid_client|unauthorized_client/
const NO_CREDENTIALS = /Could not load the default credentials/
const SKEWED = /Invalid JWT: Token must be a short-lived token|reasonable timeframe/

/** What an error of the library of Google Cloud Storage, or of what is below it, means. */
export function explainGcsError(error: unknown): StoreFault | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  // Uploads in parts throw objects that are no `Error`, and at their beginning errors of gaxios.
  const {
    code,
    name,
    status: told,
    message: text,
  } = error as { readonly [Key in 'code' | 'name' | 'status' | 'message']?: unknown }
  const message = typeof text === 'string' ? text : ''
  if (code === OTHER_CHECKSUM) return 'damaged'
  if (SKEWED.test(message)) return 'clock-skewed'
  if (REFUSED.test(message)) return 'credentials-refused'
  if (NO_CREDENTIALS.test(message)) return 'credentials-missing'
  if (NO_BUCKET.test(message)) return 'bucket-missing'
  const status = Number(code ?? told)
  const byStatus = BY_STATUS[status]
  if (byStatus !== undefined) return byStatus
  if (status >= 500) return 'busy'
  if (status >= 400) return undefined
  if (isNetworkError(error)) return 'busy'
  return name === 'SigningError' ? 'signing-refused' : undefined
}
