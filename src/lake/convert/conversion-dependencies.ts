import type { Engine } from '../../engine/engine.ts'
import type { Dependencies } from '../lake.ts'
import type { LocalFileCache } from './local-file-cache.ts'

/** What dumps need beyond all other services. */
export type DumpDependencies = Dependencies & {
  readonly engine: Engine
  /** Absolute path of a folder for files between the engine and the object store; best on the warehouse's disk. */
  readonly temporaryFolder: string
  readonly localFiles: LocalFileCache
  /** Conversions under way at once for one dump. */
  readonly conversionsAtOnce: number
  /** No error when nothing is there. */
  removeLocalFile(path: string): Promise<void>
}
