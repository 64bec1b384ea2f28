import { CatalogError } from '../../../core/errors.ts'

const LENGTH_BYTES = 4

/** A leaf of values of one length. */
export interface FixedLeaf {
  /** Dotted path for messages. */
  readonly column: string
  /** Bytes of a value. */
  readonly length: number
  /** Whether pages have levels of each kind in front of their values. */
  readonly hasRepetitionLevels: boolean
  readonly hasDefinitionLevels: boolean
}

/**
 * Values of BYTE_ARRAY in PLAIN encoding as those of FIXED_LEN_BYTE_ARRAY: without the length in
 * front of each. Throws `file-unsupported` for a value of another length.
 */
export function fixedValues(bytes: Uint8Array, { column, length }: FixedLeaf): Uint8Array {
  const stride = LENGTH_BYTES + length
  const count = Math.floor(bytes.length / stride)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = new Uint8Array(count * length)
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const found = view.getUint32(at, true)
    if (found !== length) throw anotherLength(column, { found, length })
    const start = at + LENGTH_BYTES
    values.set(bytes.subarray(start, start + length), i * length)
    at += stride
  }
  return values
}

/**
 * The body of a data page with levels (Parquet, "Data Pages", version 1), whose values alone
 * change.
 */
export function fixedPage(body: Uint8Array, leaf: FixedLeaf): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  let levelsEnd = 0
  for (const hasLevels of [leaf.hasRepetitionLevels, leaf.hasDefinitionLevels]) {
    if (hasLevels) levelsEnd += LENGTH_BYTES + view.getUint32(levelsEnd, true)
  }
  const values = fixedValues(body.subarray(levelsEnd), leaf)
  const page = new Uint8Array(levelsEnd + values.length)
  page.set(body.subarray(0, levelsEnd))
  page.set(values, levelsEnd)
  return page
}

function anotherLength(
  column: string,
  { found, length }: { readonly found: number; readonly length: number },
): CatalogError {
  return new CatalogError(
    'file-unsupported',
    `column ${column} has a value of ${found} bytes where the table has fixed[${length}]`,
    { facts: { column } },
  )
}
