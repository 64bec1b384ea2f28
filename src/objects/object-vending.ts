/** Settings by which engines get at files, as the clients of Iceberg name them. */
export type EngineSettings = Readonly<Record<string, string>>

/** What an engine may do with the files of a folder. */
export type FolderRight = 'read' | 'write'

export interface VendingRequest {
  readonly right: FolderRight
  /** Whether the caller may have keys to every folder, should there be no others. */
  readonly holdsAll: boolean
  /** Where the engine asks again before the credentials end: relative to the catalog's root. */
  readonly refreshPath: string
}

/** A request to a store, as an engine would send it. */
export interface StoreRequest {
  readonly method: string
  readonly uri: string
  readonly region: string
  readonly headers: Readonly<Record<string, readonly string[]>>
}

export interface SignedRequest {
  readonly uri: string
  /** Those to be added. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** Whether the same request may be sent with these again, for a short while. */
  readonly isReusable: boolean
}

/**
 * What engines are given so that they read and write files in a store themselves. For folders of
 * stores that the service does not use, and for local ones, there is nothing to give. Every refusal
 * of the store, or of the service that issues its tokens, is a `CatalogError`.
 */
export interface ObjectVending {
  /** Where the store is; no secrets. */
  settingsOf(folder: string): EngineSettings
  /**
   * Credentials for what lies below the folder, with at least a quarter of an hour of their life
   * left; `undefined` if none can be given.
   */
  vend(folder: string, request: VendingRequest): Promise<EngineSettings | undefined>
  /** Tells an engine to have its requests signed at a path; `undefined` if none are signed. */
  signingSettingsOf(folder: string, path: string): EngineSettings | undefined
  /** Throws `signature-refused` unless the request stays below one of the folders. */
  sign(folders: readonly string[], request: StoreRequest): Promise<SignedRequest>
}
