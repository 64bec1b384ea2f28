export interface PutTask {
  readonly kind: 'put'
  /** The folders that the file must be in: paths without a symbolic link in them. */
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

export type ThreadTask = PutTask | TailTask

/**
 * `not-done`: nothing was changed, and the caller does it itself, to make folders or to say what is wrong.
 * `failed`: the new name may be there, or may be gone after a crash of the machine.
 */
export type ThreadOutcome =
  | { readonly outcome: 'written' | 'already-exists' | 'not-done' }
  | { readonly outcome: 'failed'; readonly code: string; readonly message: string }
  | { readonly outcome: 'read'; readonly bytes: Uint8Array; readonly sizeBytes: number }
