/** As long as S3 and Google Cloud Storage allow with a key: seven days. */
export const LINK_SECONDS_MAX = 7 * 24 * 3_600

export interface LinkWish {
  /** A signature of S3 is for one of them only; one of Google for `GET` is for `HEAD`, too. */
  readonly method: 'GET' | 'HEAD'
  /** Whole, from 1 to `LINK_SECONDS_MAX`. */
  readonly expiresInSeconds: number
  /** The header that the store answers with, which names the file. */
  readonly contentDisposition: string
  readonly contentType: string
}

/** Some bytes of an object. */
export interface JoinedPart {
  readonly location: string
  readonly offset: number
  readonly lengthBytes: number
}

export interface JoinOptions {
  readonly signal: AbortSignal
  /**
   * Called once the versions are known that will be joined, and no others, before any byte is
   * copied; throws to end it.
   */
  confirm(): Promise<void>
}

export type JoinOutcome =
  | 'written'
  | 'already-exists'
  /** The store cannot: whoever wants it must read the parts and write them. Nothing was written. */
  | 'not-joinable'

/**
 * What stores in buckets can do beside `ObjectStore`: let others read an object by an address that
 * expires, and join objects by themselves. Every adapter passes
 * test/objects/object-links.contract.ts.
 */
export interface ObjectLinks {
  /** Whether objects there may have links; asks no store. */
  canLink(location: string): boolean
  /**
   * Makes an address that reads the object, and nothing else, until it expires: it is a secret.
   * Asks nobody whether there is an object. Throws `storage-misconfigured` if the credentials
   * cannot sign, and `not-implemented` or `location-not-allowed` where `canLink` is false.
   */
  signedUrl(location: string, wish: LinkWish): Promise<string>
  /**
   * Makes an object of the parts in their order, within the store, as create-only as `putIfAbsent`.
   * Throws `data-file-changed` if one is replaced meanwhile.
   */
  join(parts: readonly JoinedPart[], target: string, options: JoinOptions): Promise<JoinOutcome>
}
