import type { StoreFault } from '../bucket/bucket-client.ts'
import { isNetworkError } from '../bucket/network-error.ts'

const BY_NAME: Readonly<Record<string, StoreFault>> = {
  NoSuchKey: 'missing',
  NotFound: 'missing',
  PreconditionFailed: 'precondition',
  InvalidRange: 'beyond-end',
  NoSuchBucket: 'bucket-missing',
  NoSuchUpload: 'upload-gone',
  NotImplemented: 'not-supported',
  RequestTimeTooSkewed: 'clock-skewed',
  RequestExpired: 'clock-skewed',
  InvalidAccessKeyId: 'credentials-refused',
  SignatureDoesNotMatch: 'credentials-refused',
  AuthorizationHeaderMalformed: 'credentials-refused',
  ExpiredToken: 'credentials-refused',
  InvalidToken: 'credentials-refused',
  CredentialsProviderError: 'credentials-missing',
  PermanentRedirect: 'bucket-missing',
  ConditionalRequestConflict: 'busy',
  OperationAborted: 'busy',
  SlowDown: 'busy',
  TimeoutError: 'busy',
  RequestTimeout: 'busy',
  AbortError: 'busy',
}
const BY_STATUS: Readonly<Record<number, StoreFault>> = {
  403: 'rights-missing',
  404: 'missing',
  412: 'precondition',
  416: 'beyond-end',
  429: 'busy',
  501: 'not-supported',
}

/** That none is set, and that an empty one is. */
const NO_REGION = /^Region (?:is missing$|not accepted)/

/** So the SDK ends a body; the error has no name of its own. */
const OTHER_CHECKSUM = /^Checksum mismatch: /

/** What an error of the AWS SDK, or of the connection below it, means. */
export function explainS3Error(error: unknown): StoreFault | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const {
    name = '',
    message = '',
    $metadata,
  } = error as Partial<Error> & {
    readonly $metadata?: { readonly httpStatusCode?: number }
  }
  // The name is the store's own text: `constructor` is none of ours.
  const byName = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined
  if (byName !== undefined) return byName
  if (NO_REGION.test(message)) return 'region-missing'
  if (OTHER_CHECKSUM.test(message)) return 'damaged'
  const status = $metadata?.httpStatusCode
  const byStatus = status === undefined ? undefined : BY_STATUS[status]
  if (byStatus !== undefined) return byStatus
  if (status !== undefined && status >= 500) return 'busy'
  if (status !== undefined && status >= 400) return undefined
  // An answer that was cut in the middle of its XML has a status of 200.
  return status !== undefined || isNetworkError(error) ? 'busy' : undefined
}
