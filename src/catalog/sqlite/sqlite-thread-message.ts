/** Done one after the other, on a connection of the thread's own. */
export type SqliteTask =
  | { readonly kind: 'begin'; readonly path: string; readonly pagesMax: number | undefined }
  | {
      readonly kind: 'query'
      readonly sql: string
      readonly parameters: readonly unknown[]
    }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'close' }

export type SqliteResult =
  | { readonly rows: readonly unknown[]; readonly changes?: bigint }
  | { readonly failure: { readonly message: string; readonly code: string } }
