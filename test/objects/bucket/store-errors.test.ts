import { CatalogError } from '../../../src/core/errors.ts'
import type { StoreFault } from '../../../src/objects/bucket/bucket-client.ts'
import { bucketError } from '../../../src/objects/bucket/bucket-error.ts'
import { explainGcsError } from '../../../src/objects/gcs/gcs-error.ts'
import { explainS3Error } from '../../../src/objects/s3/s3-error.ts'

const s3 = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error('of the SDK'), { name, $metadata: { httpStatusCode } })

test.each<[string, unknown, StoreFault | undefined]>([
  [
    'a refused connection, wrapped without its code',
    new Error('AWS SDK error wrapper for Error: connect ECONNREFUSED 127.0.0.1:9000'),
    'busy',
  ],
  ['a cause', new Error('sent', { cause: Object.assign(new Error(), { code: 'EPIPE' }) }), 'busy'],
  ['words that only begin alike', new Error('read Everything that was written EXCEPT'), undefined],
  ['an object that is not there', s3('NoSuchKey', 404), 'missing'],
  ['HEAD of one that is not there', s3('NotFound', 404), 'missing'],
  ['an object that is there already', s3('PreconditionFailed', 412), 'precondition'],
  ['one that is there when parts are joined', s3('PreconditionFailed', 200), 'precondition'],
  ['what has no name and is not there', s3('Unknown', 404), 'missing'],
  ['two who write at once', s3('ConditionalRequestConflict', 409), 'busy'],
  ['a range past the end', s3('InvalidRange', 416), 'beyond-end'],
  ['no bucket, by name before status', s3('NoSuchBucket', 404), 'bucket-missing'],
  ['a bucket of another region', s3('PermanentRedirect', 301), 'bucket-missing'],
  ['a wrong clock, by name before status', s3('RequestTimeTooSkewed', 403), 'clock-skewed'],
  ['an unknown key, by name before status', s3('InvalidAccessKeyId', 403), 'credentials-refused'],
  ['a wrong secret', s3('SignatureDoesNotMatch', 403), 'credentials-refused'],
  ['no right', s3('AccessDenied', 403), 'rights-missing'],
  ['HEAD without a right', s3('Unknown', 403), 'rights-missing'],
  ['HEAD of a replaced version', s3('Unknown', 412), 'precondition'],
  ['too many requests', s3('Unknown', 429), 'busy'],
  ['a store that slows down', s3('SlowDown', 503), 'busy'],
  ['a store that fails', s3('InternalError', 500), 'busy'],
  ['a gateway that fails', s3('Unknown', 502), 'busy'],
  ['a header that the store does not know', s3('NotImplemented', 501), 'not-supported'],
  ['HEAD with one', s3('Unknown', 501), 'not-supported'],
  ['an upload that was completed already', s3('NoSuchUpload', 404), 'upload-gone'],
  ['another refusal', s3('MalformedXML', 400), undefined],
  ['an answer that was cut in its XML', s3('SyntaxError', 200), 'busy'],
  ['a refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'busy'],
  ['a cut connection', new Error('socket hang up'), 'busy'],
  ['a cut body', new Error('aborted'), 'busy'],
  ['no region', new Error('Region is missing'), 'region-missing'],
  ['no credentials', s3('CredentialsProviderError', undefined), 'credentials-missing'],
  ['a fault of ours', new TypeError('x is not a function'), undefined],
  ['a fault of ours with a code', Object.assign(new Error(), { code: 'x' }), undefined],
  ['a name that every object has', s3('constructor', 403), 'rights-missing'],
  ['nothing', undefined, undefined],
])('S3: %s', (_what, error, fault) => {
  expect(explainS3Error(error)).toBe(fault)
})

const gcs = (code: unknown, message = 'of the library') =>
  Object.assign(new Error(message), { code })

test.each<[string, unknown, StoreFault | undefined]>([
  ['an object that is not there', gcs(404), 'missing'],
  ['an object that is there already', gcs(412), 'precondition'],
  ['a status as text', gcs('412'), 'precondition'],
  ['a range past the end', gcs(416), 'beyond-end'],
  ['no right', gcs(403), 'rights-missing'],
  ['no credentials', gcs(401), 'credentials-refused'],
  ['a key that is refused', gcs(400, 'invalid_grant'), 'credentials-refused'],
  [
    'none to be found',
    gcs(undefined, 'Could not load the default credentials'),
    'credentials-missing',
  ],
  ['no bucket', gcs(404, 'The specified bucket does not exist.'), 'bucket-missing'],
  [
    'a wrong clock, which is an invalid grant, too',
    gcs(400, 'invalid_grant: Invalid JWT: Token must be a short-lived token'),
    'clock-skewed',
  ],
  ['too many requests', gcs(429), 'busy'],
  ['a request that took too long', gcs(408), 'busy'],
  ['a store that fails', gcs(500), 'busy'],
  ['what a store does not know', gcs(501), 'not-supported'],
  ['a store that is away', gcs('ECONNREFUSED'), 'busy'],
  ['a cut body', gcs(undefined, 'Premature close'), 'busy'],
  ['what is no Error', { code: 503, message: null }, 'busy'],
  ['another refusal', gcs(400), undefined],
  ['a fault of ours', new TypeError('x is not a function'), undefined],
  ['nothing', null, undefined],
])('GCS: %s', (_what, error, fault) => {
  expect(explainGcsError(error)).toBe(fault)
})

test.each<[StoreFault, string]>([
  ['missing', 'file-not-found'],
  ['beyond-end', 'file-not-found'],
  ['precondition', 'data-file-changed'],
  ['busy', 'storage-unavailable'],
  ['rights-missing', 'storage-misconfigured'],
  ['bucket-missing', 'storage-misconfigured'],
  ['credentials-refused', 'storage-misconfigured'],
  ['credentials-missing', 'storage-misconfigured'],
  ['region-missing', 'storage-misconfigured'],
  ['clock-skewed', 'storage-misconfigured'],
  ['not-supported', 'storage-misconfigured'],
  ['upload-gone', 'storage-unavailable'],
])('what is %s is told as %s, with its cause', (fault, code) => {
  const cause = new Error('of the store')
  const error = bucketError(cause, fault, 's3://lake/a')
  if (!(error instanceof CatalogError)) throw new Error('no refusal')
  expect(error.code).toBe(code)
  expect(error.message).toContain('s3://lake/a')
  if (code !== 'file-not-found') expect(error.cause).toBe(cause)
})

test('a refusal stays what it is, and what is unexpected is no refusal', () => {
  const refused = new CatalogError('body-too-large', 'too large')
  expect(bucketError(refused, 'missing', 's3://lake/a')).toBe(refused)
  const unexpected = bucketError(new TypeError('x'), undefined, 's3://lake/a')
  expect(unexpected).not.toBeInstanceOf(CatalogError)
  expect(unexpected).toMatchObject({ cause: expect.any(TypeError) })
})
