/** Partition transforms (Iceberg spec, "Partition Transforms"). */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' }
  | { readonly kind: 'bucket'; readonly buckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  /** A transform of a later version: kept, never used to prune or write. */
  | { readonly kind: 'unknown'; readonly text: string }
