import { gunzipSync } from 'node:zlib'
import { CatalogError } from '../../core/errors.ts'
import type { TableMetadata } from '../../core/table/table.ts'
import { parseTableMetadata } from './table-metadata-json.ts'

const TEXT_BYTES_MAX = 256 * 1024 * 1024

/**
 * Reads a `*.metadata.json`, or a compressed one (Iceberg spec, "Naming for GZIP compressed
 * Metadata JSON files").
 */
export function readTableMetadataFile(bytes: Uint8Array): TableMetadata {
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b
  return parseTableMetadata(decodeText(isCompressed ? gunzip(bytes) : bytes))
}

function gunzip(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: TEXT_BYTES_MAX })
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'a compressed metadata file that is damaged', {
      cause,
    })
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'a metadata file that is not UTF-8', { cause })
  }
}
