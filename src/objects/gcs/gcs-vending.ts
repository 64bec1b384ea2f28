import type { Storage } from '@google-cloud/storage'
import { bucketError } from '../bucket/bucket-error.ts'
import { CredentialCache, type IssuedCredentials } from '../bucket/credential-cache.ts'
import { FolderRights } from '../bucket/folder-rights.ts'
import type {
  EngineSettings,
  ObjectVending,
  SignedRequest,
  VendingRequest,
} from '../object-vending.ts'
import { nothingToSign } from '../schemed-vending.ts'
import { accessBoundary } from './gcs-access-boundary.ts'
import { connectGcs, type GcsOptions } from './gcs-connection.ts'
import { explainGcsError } from './gcs-error.ts'
import { GCS_LOCATIONS } from './gcs-store.ts'

const GOOGLE_STS = 'https://sts.googleapis.com'
const EXCHANGE_MS_MAX = 5_000
/** Tokens last an hour, and one for a folder no longer than the service's own. */
const OWN_LIFE_LEFT_MS_MIN = 40 * 60_000
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

export interface GcsVendingOptions extends GcsOptions {
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
  /** Whether tokens are given to those who ask. */
  readonly isOn: boolean
  /** The address of the Security Token Service, if it is not Google's. */
  readonly stsEndpoint: string | undefined
  nowMs(): number
}

/**
 * Gives engines tokens for one folder: the service's own, exchanged for one that is bounded to what
 * lies below it. An emulator has no such service, so there nothing is given unless one is named.
 */
export class GcsVending implements ObjectVending {
  readonly #options: GcsVendingOptions
  readonly #rights: FolderRights
  readonly #settings: EngineSettings
  readonly #cache: CredentialCache
  readonly #owner: Storage
  readonly #stsUrl: URL | undefined

  constructor(options: GcsVendingOptions) {
    const { endpoint, sendsTokens, writeKeyFile, stsEndpoint, nowMs } = options
    this.#options = options
    this.#rights = new FolderRights(GCS_LOCATIONS, options)
    this.#settings = endpoint === undefined ? {} : { 'gcs.service.host': endpoint }
    this.#cache = new CredentialCache(nowMs)
    this.#owner = connectGcs({
      ...{ endpoint: undefined, keyFile: writeKeyFile, maxRetries: 0 },
      ownLifeLeftMs: OWN_LIFE_LEFT_MS_MIN,
    })
    const isGoogle = endpoint === undefined || sendsTokens === true
    const sts = stsEndpoint ?? (isGoogle ? GOOGLE_STS : undefined)
    this.#stsUrl = sts === undefined ? undefined : new URL('/v1/token', sts)
  }

  settingsOf(folder: string): EngineSettings {
    return this.#rights.find(folder) === undefined ? {} : this.#settings
  }

  async vend(
    folder: string,
    { right, refreshPath }: VendingRequest,
  ): Promise<EngineSettings | undefined> {
    const found = this.#rights.find(folder)
    const url = this.#stsUrl
    if (!this.#options.isOn || url === undefined || found === undefined) return undefined
    const least = right === 'write' ? found.right : 'read'
    const issue = () => this.#exchange(url, accessBoundary(found.place, least))
    try {
      const { settings } = await this.#cache.get(`${least} ${folder}`, issue)
      return { ...settings, 'gcs.oauth2.refresh-credentials-endpoint': refreshPath }
    } catch (error) {
      throw bucketError(error, explainGcsError(error), folder)
    }
  }

  /** No client of Google Cloud Storage knows it. */
  signingSettingsOf(): undefined {
    return undefined
  }

  async sign(): Promise<SignedRequest> {
    throw nothingToSign()
  }

  /** RFC 8693, with the boundary as Google's option. */
  async #exchange(url: URL, boundary: string): Promise<IssuedCredentials> {
    const own = await this.#owner.authClient.getClient()
    const { token } = await own.getAccessToken()
    if (!token) throw new Error('the library of Google Cloud Storage has no token of its own')
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(EXCHANGE_MS_MAX),
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        requested_token_type: ACCESS_TOKEN,
        subject_token_type: ACCESS_TOKEN,
        subject_token: token,
        options: boundary,
      }),
    })
    if (!response.ok) {
      await response.body?.cancel()
      const text = `the token service has answered with ${response.status}`
      throw Object.assign(new Error(text), { code: response.status })
    }
    const { access_token: accessToken, expires_in: seconds } = (await response.json()) as {
      readonly [Key in 'access_token' | 'expires_in']?: unknown
    }
    // It tells how long only where the service's own is that of a service account.
    const expiresAtMs =
      typeof seconds === 'number'
        ? this.#options.nowMs() + seconds * 1_000
        : own.credentials.expiry_date
    if (typeof accessToken !== 'string' || typeof expiresAtMs !== 'number') {
      throw new Error('the token service has issued no token, or does not say until when')
    }
    const settings = {
      'gcs.oauth2.token': accessToken,
      'gcs.oauth2.token-expires-at': String(expiresAtMs),
    }
    return { settings, expiresAtMs }
  }
}
