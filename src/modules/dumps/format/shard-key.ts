import { createHash } from 'node:crypto'
import type { ConstantColumns } from '../../../core/schema/column-projection.ts'
import { hexText } from '../../../core/value/bytes-text.ts'
import type { Value } from '../../../core/value/value.ts'

export interface FileIdentity {
  readonly path: string
  readonly sizeBytes: number
  /** Position of this vector in a delete file that has several. */
  readonly contentOffset?: number
}

/** Everything that the bytes of a shard depend on. */
export interface ShardIdentity {
  readonly dataFile: FileIdentity & { readonly recordCount: number }
  /** Delete files that apply to the data file. */
  readonly deleteFiles: DeletesIdentity
  /** Columns that the data file may lack. */
  readonly constants: ConstantColumns
  /** JSON text of the columns that the shard shows. */
  readonly schemaJson: string
  readonly format: string
  readonly compression: string
  /** Raised when the same rows would be written differently. */
  readonly dialectVersion: number
}

/** The delete files of a shard, and of others: made once for all of them. */
export type DeletesIdentity = readonly string[]

/** More are told by their digest: data files by the thousand may share them. */
const DELETES_TOLD = 100
const ENCODER = new TextEncoder()

/** The same in whatever order they come. */
export function deletesIdentity(deleteFiles: readonly FileIdentity[]): DeletesIdentity {
  const texts = deleteFiles.map(fileText).sort()
  if (texts.length <= DELETES_TOLD) return texts
  return [`sha256 ${sha256Of(texts)}`]
}

/** 64 hexadecimal digits: shards of one key have the same bytes. */
export function shardKey(identity: ShardIdentity): string {
  const { dataFile, deleteFiles, constants, schemaJson, format, compression, dialectVersion } =
    identity
  const texts = [
    'moraine shard 1',
    fileText(dataFile),
    String(dataFile.recordCount),
    String(deleteFiles.length),
    ...deleteFiles,
    schemaJson,
    format,
    compression,
    String(dialectVersion),
    ...(constants.size === 0 ? [] : [constantsText(constants)]),
  ]
  return sha256Of(texts)
}

function sha256Of(texts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const text of texts) hash.update(prefixed(text))
  return hash.digest('hex')
}

function fileText({ path, sizeBytes, contentOffset }: FileIdentity): string {
  return JSON.stringify([path, sizeBytes, contentOffset ?? null])
}

function constantsText(constants: ConstantColumns): string {
  return JSON.stringify([...constants].map(([id, value]) => [id, valueText(value)]))
}

/** Numbers are told apart from texts, and minus zero from zero. */
function valueText(value: Value | null): unknown {
  if (value === null || typeof value === 'string') return value
  if (value instanceof Uint8Array) return ['bytes', hexText(value)]
  return [typeof value, Object.is(value, -0) ? '-0' : String(value)]
}

/** The text after its length, so that moving text from one part to the next changes the hash. */
function prefixed(text: string): Uint8Array {
  const bytes = ENCODER.encode(text)
  const framed = new Uint8Array(8 + bytes.length)
  new DataView(framed.buffer).setBigUint64(0, BigInt(bytes.length))
  framed.set(bytes, 8)
  return framed
}
