import type { CatalogErrorCode } from '../core/errors.ts'
import type { ValuePart } from './value-parts.ts'

export type MetadataTask =
  /** Reads the metadata file of a table or a view. */
  | { readonly kind: 'table' | 'view'; readonly id: number; readonly file: Uint8Array }
  /** The next part of a file that was read. */
  | { readonly kind: 'next'; readonly id: number }

export type MetadataResult =
  /** A part of the metadata, and how many come after it. */
  | { readonly part: ValuePart; readonly left: number }
  | { readonly failure: { readonly code: CatalogErrorCode; readonly message: string } }
