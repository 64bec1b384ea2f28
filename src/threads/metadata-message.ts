import type { CatalogErrorCode } from '../core/errors.ts'
import type { ViewMetadata } from '../core/metadata/view-metadata.ts'
import type { TableMetadata } from '../core/table/table.ts'

/** Lists of the metadata that may be long. */
export type LongLists = Pick<TableMetadata, 'metadataLog' | 'snapshotLog' | 'snapshots'>

export type MetadataTask =
  | { readonly kind: 'read'; readonly id: number; readonly file: Uint8Array }
  /** Reads the file of a view, which is handed over as a whole. */
  | { readonly kind: 'view'; readonly file: Uint8Array }
  /** The next part of the lists of a file that was read. */
  | { readonly kind: 'next'; readonly id: number }

export type MetadataResult =
  /** The metadata with empty lists, and how many parts they come in. */
  | { readonly metadata: TableMetadata; readonly parts: number }
  | { readonly part: LongLists }
  | { readonly view: ViewMetadata }
  | { readonly failure: { readonly code: CatalogErrorCode; readonly message: string } }
