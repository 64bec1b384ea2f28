import type { LocalResult } from '../../lake/convert/converter.ts'
import { deleteUnchanged } from '../../lake/file/delete-unchanged.ts'
import type { DumpBuild } from './dump-build.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import type { DumpTarget } from './dump-key.ts'
import { type DumpSource, emptyShardLocation } from './dump-sources.ts'
import type { DumpPiece } from './format/dump-index.ts'

type ConvertDependencies = Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>

/** The shard of a source's live rows: an existing one, or else a new one. */
export async function obtainShard(
  deps: ConvertDependencies,
  build: DumpBuild,
  source: DumpSource,
): Promise<DumpPiece> {
  const made = build.made.find(source)
  if (made !== undefined) {
    build.record.addUnread(source.dataFile.path)
    build.space?.addShard(made.lengthBytes, { isNew: false })
    return made
  }
  const { target, signal } = build
  const { format, compression, schema, restriction } = target
  const { definition } = target.state
  const conversion = build.space?.beginConversion({ isPlain: isPlain(target) })
  const onWrite = conversion?.onWrite
  try {
    return await deps.converter.convert(
      {
        ...{ definition, source, restriction, held: build.held, readAs: schema },
        ...{ schema, format, compression, signal, onWrite },
      },
      async (result, identity) => {
        build.record.add(await identity())
        conversion?.onWrite(result.bytes)
        signal.throwIfAborted()
        conversion?.end()
        return putShard(deps, build, source.shardLocation, result)
      },
    )
  } finally {
    conversion?.end()
  }
}

/** Whether a conversion writes nothing beside what is in the dump. */
function isPlain({ format, compression, restriction }: DumpTarget): boolean {
  if (restriction !== 'unrestricted') return false
  return format !== 'parquet' && format !== 'arrow' && compression !== 'gzip'
}

/** A shard of columns without rows, for formats that have a schema: a dump of an empty table. */
export function obtainEmptyShard(deps: ConvertDependencies, build: DumpBuild): Promise<DumpPiece> {
  const { target, signal } = build
  const { format, compression, schema } = target
  const location = emptyShardLocation(deps.warehouse, target)
  return deps.converter.convertNothing({ schema, format, compression, signal }, (result) =>
    putShard(deps, build, location, result),
  )
}

/** An existing shard of another length was damaged on disk, and is replaced. */
async function putShard(
  { objects }: Pick<DumpDependencies, 'objects'>,
  { space }: DumpBuild,
  location: string,
  { path, bytes, rows }: LocalResult,
): Promise<DumpPiece> {
  const there = await objects.find(location)
  if (there !== undefined && there.sizeBytes !== bytes) await deleteUnchanged(objects, there)
  await objects.putFileIfAbsent(location, path)
  space?.addShard(bytes, { isNew: true })
  return { location, offset: 0, lengthBytes: bytes, rowCount: rows }
}
