import type { JobOptions } from '../../engine/engine.ts'
import type { PlannedFile } from '../scan/plan-files.ts'

/**
 * A child reads more than data files, its own code above all: no more than what these have counts,
 * once for each time that a query names their table.
 */
export function ofFiles(
  tables: readonly { readonly sources: readonly Pick<PlannedFile, 'dataFile' | 'deleteFiles'>[] }[],
  onRead: JobOptions['onRead'],
): JobOptions['onRead'] {
  if (onRead === undefined) return undefined
  const files = tables
    .flatMap(({ sources }) => sources)
    .flatMap(({ dataFile, deleteFiles }) => [dataFile, ...deleteFiles])
  const bytesMax = files.reduce((sum, { fileSizeBytes }) => sum + fileSizeBytes, 0)
  return (bytes) => onRead(bytes === undefined ? undefined : Math.min(bytes, bytesMax))
}

/** Without those that are not given. */
export function optionsOf({
  signal,
  onWrite,
  onRead,
  timeoutMs,
}: {
  readonly [Name in keyof JobOptions]?: JobOptions[Name] | undefined
}): JobOptions {
  return {
    ...(signal !== undefined && { signal }),
    ...(onWrite !== undefined && { onWrite }),
    ...(onRead !== undefined && { onRead }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  }
}
