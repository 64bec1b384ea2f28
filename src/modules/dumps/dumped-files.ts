import { isBelow } from '../../core/file/location-key.ts'
import type { FileNamer } from '../../lake/deletion/file-namer.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { isIndex, readDumpIndex } from './dump-folder.ts'
import { dumpsFolder } from './dump-key.ts'
import { forgetDumpsOfTable } from './dump-sweep.ts'

/** Dumps name the data files whose row groups they consist of. */
export function dumpedFiles(
  deps: Pick<DumpDependencies, 'log' | 'objects' | 'warehouse'>,
): FileNamer {
  return {
    kind: 'dump',
    async *namedFor(tableUuid) {
      const folder = dumpsFolder(deps.warehouse, tableUuid)
      for await (const { location } of deps.objects.list(folder)) {
        if (!isIndex(location)) continue
        const index = await readDumpIndex(deps, location)
        for (const piece of index?.pieces ?? []) {
          if (!isBelow(folder, piece.location)) yield piece.location
        }
      }
    },
    forget: (tableUuid) => forgetDumpsOfTable(deps, tableUuid),
  }
}
