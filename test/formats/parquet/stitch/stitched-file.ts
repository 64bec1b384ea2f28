import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import {
  planStitch,
  type StitchOptions,
  type StitchPart,
  type StitchPlan,
} from '../../../../src/formats/parquet/stitch/stitch.ts'
import { footerOf } from '../sample-file.ts'

/** The bytes that a plan describes. */
export function assemble(plan: StitchPlan, parts: readonly Uint8Array[]): Uint8Array {
  const pieces = plan.ranges.flatMap((ranges, i) =>
    ranges.map(({ offset, lengthBytes }) => parts[i]?.subarray(offset, offset + lengthBytes)),
  )
  const bytes = Buffer.concat([plan.head, ...pieces.map((piece) => piece ?? fail()), plan.tail])
  if (bytes.length !== plan.lengthBytes) throw new Error('the plan announces another length')
  return Uint8Array.from(bytes)
}

export async function stitch(
  parts: readonly Uint8Array[],
  options: StitchOptions = {},
): Promise<Uint8Array> {
  const footers = await Promise.all(parts.map(partOf))
  return assemble(planStitch(footers, options), parts)
}

export async function partOf(bytes: Uint8Array): Promise<StitchPart> {
  return { footer: await footerOf(bytes) }
}

/** Rows as hyparquet, a reader that shares nothing with ours, has them. */
export function hyparquetRows(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const { buffer } = Uint8Array.from(bytes)
  return parquetReadObjects({ file: buffer, compressors })
}

function fail(): never {
  throw new Error('the plan has more parts than there are')
}
