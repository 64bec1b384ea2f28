import { symlinkSync } from 'node:fs'
import type { SourceFile } from '../../engine.ts'

/**
 * Links in the task's folder to the files that a task reads. Their names are safe in SQL, whatever
 * the files are called.
 */
export interface LinkedFiles {
  readonly source: string
  readonly positionDeletes: readonly string[]
  readonly equalityDeletes: readonly string[]
  readonly paths: readonly string[]
}

/** `paths` are those that were linked before in the same folder; it gets these, too. */
export function linkFiles(source: SourceFile, paths: string[] = []): LinkedFiles {
  const link = (path: string): string => {
    const name = `source-${paths.push(path)}.parquet`
    symlinkSync(path, name)
    return name
  }
  return {
    source: link(source.path),
    positionDeletes: (source.positionDeletes ?? []).map(({ path }) => link(path)),
    equalityDeletes: (source.equalityDeletes ?? []).map(({ path }) => link(path)),
    paths,
  }
}
