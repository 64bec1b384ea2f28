import type { ParquetFooter } from './footer-model.ts'

type Writer = ParquetFooter['createdBy']

/**
 * Whether bounds of binary columns in the old fields are wrong. Readers check the writer's name,
 * which a stitched file no longer has (PARQUET-251, and Arrow's
 * ApplicationVersion::HasCorrectStatistics).
 */
export function areOldBinaryBoundsWrong({ createdBy }: Pick<ParquetFooter, 'createdBy'>): boolean {
  return (
    createdBy === undefined ||
    isWriterBefore(createdBy, 'parquet-mr', [1, 10]) ||
    isWriterBefore(createdBy, 'parquet-cpp', [1, 3])
  )
}

/**
 * Whether the writer may have given the last value of a binary column as its minimum and maximum
 * (PARQUET-251).
 */
export function hasReusedBounds(createdBy: Writer): boolean {
  return isWriterBefore(createdBy, 'parquet-mr', [1, 8])
}

/** Parquet-MR's "parquet-mr version 1.8.1 (build ...)". An unreadable version counts as old. */
function isWriterBefore(
  createdBy: Writer,
  application: string,
  [major, minor]: readonly [number, number],
): boolean {
  const [name, version = ''] = createdBy?.split(' version ', 2) ?? []
  if (name !== application) return false
  const [, writerMajor = 0, writerMinor = 0] = /^\s*(\d+)\.(\d+)/.exec(version)?.map(Number) ?? []
  return writerMajor < major || (writerMajor === major && writerMinor < minor)
}
