import { HeadObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { fromIni } from '@aws-sdk/credential-provider-ini'
import { MARK, type ObjectState } from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { STORE_CONNECTIONS_MAX } from '../bucket/connections.ts'

// Eight lines on standard error about the SDK's own future, to people who cannot change it.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'

/** Known to every store that is compatible. */
export const ANY_REGION = 'us-east-1'

export interface S3Place {
  /** The SDK looks for its own default without; stores that are compatible need none. */
  readonly region: string | undefined
  /** The address of a store that is compatible; AWS itself without. */
  readonly endpoint: string | undefined
  readonly forcePathStyle: boolean
}

export interface S3Options extends S3Place {
  readonly readCredentials: S3Credentials | undefined
  readonly writeCredentials: S3Credentials | undefined
}

/** A profile in a file of AWS's kind, or keys; the SDK looks for its own defaults without. */
export type S3Credentials =
  | { readonly path: string; readonly profile: string }
  | { readonly accessKeyId: string; readonly secretAccessKey: string }

/** One user's client of the SDK. Whoever opens it destroys it. */
export function connectS3(
  { endpoint, forcePathStyle, ...place }: S3Place,
  credentials: S3Credentials | undefined,
  maxAttempts: number,
): S3Client {
  const region = place.region ?? (endpoint && ANY_REGION)
  return new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle,
    ...(credentials !== undefined && { credentials: providerOf(credentials) }),
    maxAttempts,
    // Ranges have no checksum; where whole objects are read it is asked for.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: STORE_CONNECTIONS_MAX },
      httpsAgent: { maxSockets: STORE_CONNECTIONS_MAX },
    },
  })
}

/** How long the SDK takes keys of a file as good: it asks again five minutes before they end. */
const KEYS_GOOD_MS = 10 * 60_000

/**
 * Keys as the SDK takes them. A file is read anew at each call, which the SDK makes every five
 * minutes: keys may be rotated. What cannot be read then leaves the keys of before.
 */
export function providerOf(credentials: S3Credentials): NonNullable<S3ClientConfig['credentials']> {
  if (!('path' in credentials)) return credentials
  const { path, profile } = credentials
  const read = fromIni({ filepath: path, configFilepath: path, profile, ignoreCache: true })
  let last: Awaited<ReturnType<typeof read>> | undefined
  return async (options) => {
    try {
      last = await read(options)
    } catch (error) {
      if (last === undefined) throw error
    }
    const goodUntilMs = Math.min(last.expiration?.getTime() ?? Infinity, Date.now() + KEYS_GOOD_MS)
    return { ...last, expiration: new Date(goodUntilMs) }
  }
}

/** How an object is now, and who made it. */
export async function headS3(
  client: S3Client,
  { bucket, key }: BucketPlace,
  signal: AbortSignal,
): Promise<ObjectState> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key })
  const found = await client.send(command, { abortSignal: signal })
  return { ...s3StateOf(found, found.ContentLength), mark: found.Metadata?.[MARK] }
}

export function s3StateOf(
  found: { readonly ETag?: string | undefined; readonly LastModified?: Date | undefined },
  sizeBytes: number | undefined,
): ObjectState {
  if (sizeBytes === undefined || found.ETag === undefined || found.LastModified === undefined) {
    throw new Error('the store does not tell size, ETag and time of an object')
  }
  return { sizeBytes, version: found.ETag, modifiedAtMs: found.LastModified.getTime() }
}
