import { S3Client } from '@aws-sdk/client-s3'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { bucketError } from '../bucket/bucket-error.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { CredentialCache, type IssuedCredentials } from '../bucket/credential-cache.ts'
import { FolderRights } from '../bucket/folder-rights.ts'
import type {
  EngineSettings,
  FolderRight,
  ObjectVending,
  SignedRequest,
  StoreRequest,
  VendingRequest,
} from '../object-vending.ts'
import { nothingToSign } from '../schemed-vending.ts'
import { ANY_REGION, providerOf, type S3Credentials, type S3Options } from './s3-connection.ts'
import { explainS3Error } from './s3-error.ts'
import { sessionPolicy } from './s3-session-policy.ts'
import { S3Signer } from './s3-signer.ts'
import { S3_LOCATIONS } from './s3-store.ts'

/** As long as a role may be assumed that was assumed by a role. */
const SESSION_SECONDS = 3_600
/** How long the keys for engines are kept, so that a changed file is read again. */
const KEYS_KEPT_MS = 10 * 60_000

export interface S3VendingOptions extends S3Options {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
  /** Whether credentials and signatures are given to those who ask. */
  readonly isOn: boolean
  /** The address by which engines reach the store, if it is another one. */
  readonly engineEndpoint: string | undefined
  /** ARN of a role to assume for engines. */
  readonly role: string | undefined
  readonly stsEndpoint: string | undefined
  /** Keys that engines are given as they are. */
  readonly engineCredentials: S3Credentials | undefined
  nowMs(): number
}

/**
 * Gives engines temporary credentials for one folder by assuming a role, or else, if they may have
 * all, the keys that the operator has named for them, and signs their requests. The service's own
 * keys stay its own.
 */
export class S3Vending implements ObjectVending {
  readonly #options: S3VendingOptions
  readonly #rights: FolderRights
  readonly #settings: EngineSettings
  readonly #sts: STSClient
  readonly #cache: CredentialCache
  readonly #signer: S3Signer

  constructor(options: S3VendingOptions, region: string | undefined) {
    const { endpoint, engineEndpoint = endpoint, forcePathStyle, stsEndpoint = endpoint } = options
    this.#options = options
    this.#rights = new FolderRights(S3_LOCATIONS, options)
    this.#settings = settingsOf({ region, endpoint: engineEndpoint, forcePathStyle })
    this.#cache = new CredentialCache(options.nowMs)
    this.#sts = new STSClient({
      ...(region !== undefined && { region }),
      ...(stsEndpoint !== undefined && { endpoint: stsEndpoint }),
      ...(options.writeCredentials !== undefined && {
        credentials: providerOf(options.writeCredentials),
      }),
      maxAttempts: 2,
      requestHandler: {
        connectionTimeout: 3_000,
        requestTimeout: 5_000,
        throwOnRequestTimeout: true,
      },
    })
    this.#signer = new S3Signer({ ...options, endpoint: engineEndpoint, region })
  }

  settingsOf(folder: string): EngineSettings {
    return this.#rights.find(folder) === undefined ? {} : this.#settings
  }

  async vend(
    folder: string,
    { right, holdsAll, refreshPath }: VendingRequest,
  ): Promise<EngineSettings | undefined> {
    const { isOn, role, engineCredentials } = this.#options
    const found = this.#rights.find(folder)
    if (!isOn || found === undefined) return undefined
    const least = right === 'write' ? found.right : 'read'
    try {
      if (role !== undefined) {
        const key = `${least} ${folder}`
        const issue = () => this.#assume(role, { place: found.place, right: least })
        const { settings } = await this.#cache.get(key, issue)
        return { ...settings, 'client.refresh-credentials-endpoint': refreshPath }
      }
      if (engineCredentials === undefined || !holdsAll) return undefined
      return (await this.#cache.get('', () => this.#keys(engineCredentials))).settings
    } catch (error) {
      throw bucketError(error, explainS3Error(error), folder)
    }
  }

  signingSettingsOf(folder: string, path: string): EngineSettings | undefined {
    if (!this.#options.isOn || this.#rights.find(folder) === undefined) return undefined
    return {
      's3.remote-signing-enabled': 'true',
      's3.signer': 'S3V4RestSigner',
      's3.signer.endpoint': path,
      'signer.endpoint': path,
    }
  }

  async sign(folders: readonly string[], request: StoreRequest): Promise<SignedRequest> {
    const found = folders.map((folder) => this.#rights.find(folder))
    const places = found.filter((each) => each !== undefined)
    if (!this.#options.isOn || places.length === 0) throw nothingToSign()
    try {
      return await this.#signer.sign(places, request)
    } catch (error) {
      throw bucketError(error, explainS3Error(error), folders[0] ?? '')
    }
  }

  close(): void {
    this.#sts.destroy()
    this.#signer.close()
  }

  async #assume(
    role: string,
    { place, right }: { readonly place: BucketPlace; readonly right: FolderRight },
  ): Promise<IssuedCredentials> {
    const partition = role.split(':')[1] ?? 'aws'
    const command = new AssumeRoleCommand({
      RoleArn: role,
      RoleSessionName: 'moraine',
      DurationSeconds: SESSION_SECONDS,
      Policy: sessionPolicy(place, { right, partition }),
    })
    const { Credentials: issued } = await this.#sts.send(command)
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = issued ?? {}
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
      throw new Error('the token service has issued no credentials')
    }
    const expiresAtMs = Expiration.getTime()
    const settings = {
      's3.access-key-id': AccessKeyId,
      's3.secret-access-key': SecretAccessKey,
      's3.session-token': SessionToken,
      's3.session-token-expires-at-ms': String(expiresAtMs),
    }
    return { settings, expiresAtMs }
  }

  async #keys(credentials: S3Credentials): Promise<IssuedCredentials> {
    const given = providerOf(credentials)
    const keys = typeof given === 'function' ? await given() : given
    const settings = {
      's3.access-key-id': keys.accessKeyId,
      's3.secret-access-key': keys.secretAccessKey,
      ...(keys.sessionToken !== undefined && { 's3.session-token': keys.sessionToken }),
    }
    return { settings, expiresAtMs: this.#options.nowMs() + 2 * KEYS_KEPT_MS }
  }
}

/** The SDK knows where its own default region stands. */
export async function openS3Vending(options: S3VendingOptions): Promise<S3Vending> {
  if (options.region !== undefined) return new S3Vending(options, options.region)
  if (options.endpoint !== undefined) return new S3Vending(options, ANY_REGION)
  const client = new S3Client({})
  const region = await client.config.region().catch(() => undefined)
  client.destroy()
  return new S3Vending(options, region)
}

/** As PyIceberg, Java's library, DuckDB and the Rust crates name them. */
function settingsOf({
  region,
  endpoint,
  forcePathStyle,
}: {
  readonly region: string | undefined
  readonly endpoint: string | undefined
  readonly forcePathStyle: boolean
}): EngineSettings {
  return {
    ...(region !== undefined && { 's3.region': region, 'client.region': region }),
    ...(endpoint !== undefined && { 's3.endpoint': endpoint }),
    ...(endpoint !== undefined && { 's3.path-style-access': String(forcePathStyle) }),
    // PyIceberg knows no other name.
    ...(endpoint !== undefined && !forcePathStyle && { 's3.force-virtual-addressing': 'true' }),
  }
}
