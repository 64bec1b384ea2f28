import { constants, gunzipSync } from 'node:zlib'
import { CatalogError } from '../../core/errors.ts'
import { requireFewProperties } from '../../core/metadata/property-update.ts'
import type { ViewMetadata } from '../../core/metadata/view-metadata.ts'
import type { TableMetadata } from '../../core/table/table.ts'
import { JsonCensus } from '../json/json-census.ts'
import { parseTableMetadata } from './table-metadata-json.ts'
import { parseViewMetadata } from './view-metadata-json.ts'

/** Size of a metadata file, inflated; those of 9,000 snapshots have 6 MB. */
export const METADATA_TEXT_BYTES_MAX = 128 * 1024 * 1024
/** How many values a metadata file may have; a snapshot has about twenty. */
const VALUES_MAX = 3_000_000
/** As large as the file of a view, inflated, may be. */
export const VIEW_METADATA_TEXT_BYTES_MAX = 16 * 1024 * 1024
const VIEW_VALUES_MAX = 100_000
/** Gzip can write 1,000 bytes for each of its own; metadata of many like snapshots has 40. */
const INFLATION_MAX = 100
const INFLATED_BYTES_ALWAYS = 1024 * 1024

/**
 * Reads a `*.metadata.json`, or a compressed one (Iceberg spec, "Naming for GZIP compressed
 * Metadata JSON files"). Takes seconds for the largest files: not for the event loop.
 */
export function readTableMetadataFile(bytes: Uint8Array): TableMetadata {
  const metadata = parseTableMetadata(readText(bytes, TABLE_LIMITS))
  requireFewProperties(Object.keys(metadata.definition.properties).length)
  return metadata
}

/** The same for views: their files are smaller. */
export function readViewMetadataFile(bytes: Uint8Array): ViewMetadata {
  return parseViewMetadata(readText(bytes, VIEW_LIMITS))
}

/** The text at the start of a metadata file, compressed or not; empty if it cannot be inflated. */
export function metadataHead(start: Uint8Array): string {
  return new TextDecoder().decode(isCompressed(start) ? inflatedHead(start) : start)
}

function inflatedHead(start: Uint8Array): Uint8Array {
  try {
    const finishFlush = constants.Z_SYNC_FLUSH
    return gunzipSync(start, { finishFlush, maxOutputLength: INFLATED_BYTES_ALWAYS })
  } catch {
    return new Uint8Array()
  }
}

interface FileLimits {
  readonly textBytesMax: number
  readonly valuesMax: number
}

const TABLE_LIMITS: FileLimits = { textBytesMax: METADATA_TEXT_BYTES_MAX, valuesMax: VALUES_MAX }
const VIEW_LIMITS: FileLimits = {
  textBytesMax: VIEW_METADATA_TEXT_BYTES_MAX,
  valuesMax: VIEW_VALUES_MAX,
}

function readText(bytes: Uint8Array, { textBytesMax, valuesMax }: FileLimits): string {
  const text = isCompressed(bytes) ? gunzip(bytes, textBytesMax) : bytes
  requireFewValues(text, valuesMax)
  return decodeText(text)
}

function isCompressed(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

function gunzip(bytes: Uint8Array, textBytesMax: number): Uint8Array {
  const allowed = Math.max(bytes.length * INFLATION_MAX, INFLATED_BYTES_ALWAYS)
  const maxOutputLength = Math.min(allowed, textBytesMax)
  try {
    return gunzipSync(bytes, { maxOutputLength })
  } catch (cause) {
    const isTooLarge = (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE'
    const problem = isTooLarge
      ? `a compressed metadata file that inflates to more than ${maxOutputLength} bytes`
      : 'a compressed metadata file that is damaged'
    throw new CatalogError('metadata-corrupt', problem, { cause })
  }
}

function requireFewValues(text: Uint8Array, valuesMax: number): void {
  const census = new JsonCensus()
  census.take(text)
  if (census.values <= valuesMax) return
  throw new CatalogError('metadata-corrupt', `a metadata file of more than ${valuesMax} values`)
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'a metadata file that is not UTF-8', { cause })
  }
}
