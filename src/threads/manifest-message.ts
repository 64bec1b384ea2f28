import type { CatalogErrorCode } from '../core/errors.ts'
import type { ManifestContent } from '../formats/manifest/manifest-decoder.ts'
import type { ManifestIdentity } from '../formats/manifest/manifest-reader.ts'

export interface DecodeTask {
  readonly file: Uint8Array
  readonly manifest: ManifestIdentity
}

export type DecodeResult =
  | { readonly content: ManifestContent }
  | {
      readonly failure: { readonly code: CatalogErrorCode | undefined; readonly message: string }
    }
