import { createHash } from 'node:crypto'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { writeThriftStruct } from '../thrift/thrift.ts'
import { getStructs } from '../thrift/thrift-fields.ts'

/** Larger schemas have none: it would cost more than it saves. */
const ELEMENTS_MAX = 200

/** Equal for files whose schemas are written with the same bytes, and only for those. */
export function schemaShape({ thrift }: Pick<ParquetFooter, 'thrift'>): string | undefined {
  const elements = getStructs(thrift, 2)
  if (elements.length > ELEMENTS_MAX) return undefined
  const hash = createHash('sha256')
  for (const element of elements) hash.update(writeThriftStruct(element))
  return hash.digest('base64url')
}
