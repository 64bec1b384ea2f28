import type { CatalogErrorCode } from '../core/errors.ts'
import type { ManifestContent } from '../formats/iceberg/manifest-decoder.ts'
import type { ManifestIdentity } from '../formats/iceberg/manifest-reader.ts'

export interface DecodeRequest {
  readonly id: number
  readonly file: Uint8Array
  readonly manifest: ManifestIdentity
}

export type DecodeReply =
  | { readonly id: number; readonly content: ManifestContent }
  | {
      readonly id: number
      readonly failure: { readonly code: CatalogErrorCode | undefined; readonly message: string }
    }
