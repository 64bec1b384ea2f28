export interface PutTask {
  readonly kind: 'put'
  /** The folders that the file must be in, as paths without symbolic links. */
  readonly roots: readonly string[]
  readonly folder: string
  readonly name: string
  readonly temporaryName: string
  readonly bytes: Uint8Array
}

export interface TailTask {
  readonly kind: 'tail'
  readonly roots: readonly string[]
  readonly path: string
  readonly bytesMax: number
}

export interface NamesTask {
  readonly kind: 'names'
  readonly folder: string
  /** Those of files in the folder. */
  readonly names: readonly string[]
}

export interface FoundNames {
  readonly outcome: 'looked'
  /** `undefined` if nothing can be reached there. */
  readonly realFolder: string | undefined
  /** Those that are links themselves. */
  readonly links: readonly string[]
}

export type ThreadTask = PutTask | TailTask | NamesTask

/**
 * With `not-done` nothing was changed, and the caller does it itself, creating folders or reporting
 * the error. With `failed` the new name may exist, or may be lost if the machine crashes.
 */
export type ThreadOutcome =
  | { readonly outcome: 'written' | 'already-exists' | 'not-done' }
  | { readonly outcome: 'failed'; readonly code: string; readonly message: string }
  | {
      readonly outcome: 'read'
      readonly realPath: string
      readonly bytes: Uint8Array
      readonly sizeBytes: number
      readonly modifiedAtMs: number
      readonly version: string
    }
  | FoundNames
