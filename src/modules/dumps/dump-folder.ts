import { CatalogError } from '../../core/errors.ts'
import { METADATA_FILE_BYTES_MAX } from '../../core/limits.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import { type DumpIndex, parseDumpIndex } from './format/dump-index.ts'

const INDEX_NAME = '/index.json'

/** Stored objects of the dumps of one table in one format. */
export interface DumpFolder {
  /** Newest first. */
  readonly indexes: readonly ObjectInfo[]
  /** Everything else, by location: shards, headers, footers. */
  readonly shards: ReadonlyMap<string, ObjectInfo>
}

/** Which rows and columns a dump has. */
export interface DumpVersion {
  readonly snapshotId: bigint
  /** Only where it is not the snapshot's own schema. */
  readonly schemaId?: number
  /** Stands for its content (`dump-edition.ts`); absent in dumps of before there were editions. */
  readonly edition?: string
}

/** A table before its first snapshot; Iceberg writes `-1` where there is none. */
export const NO_SNAPSHOT_ID = -1n

/**
 * Part of every name of a dump: `4853267719093551-0f3a9c41d2e7`,
 * `4853267719093551-schema-3-0f3a9c41d2e7`, `empty-schema-0-0f3a9c41d2e7`.
 */
export function versionText({ snapshotId, schemaId, edition }: DumpVersion): string {
  const snapshot = snapshotId === NO_SNAPSHOT_ID ? 'empty' : String(snapshotId)
  const schema = schemaId === undefined ? '' : `-schema-${schemaId}`
  return `${snapshot}${schema}${edition === undefined ? '' : `-${edition}`}`
}

/** The text without its edition, which all editions of one snapshot and schema share. */
export function withoutEdition(text: string): string {
  return text.replace(/-[0-9a-f]{12}$/, '')
}

/** `<folder>/<version>/index.json` */
export function indexLocationIn(folder: string, version: DumpVersion): string {
  return `${folder}/${versionText(version)}${INDEX_NAME}`
}

export async function listDumpFolder(
  { objects }: Pick<LakeServices, 'objects'>,
  folder: string,
): Promise<DumpFolder> {
  const indexes: ObjectInfo[] = []
  const shards = new Map<string, ObjectInfo>()
  for await (const info of objects.list(folder)) {
    if (isIndex(info.location)) indexes.push(info)
    else shards.set(info.location, info)
  }
  indexes.sort((a, b) => b.modifiedAtMs - a.modifiedAtMs || (a.location < b.location ? -1 : 1))
  return { indexes, shards }
}

export function isIndex(location: string): boolean {
  return location.endsWith(INDEX_NAME)
}

/** The `versionText` of a dump, from the location of its index. */
export function versionTextOf(indexLocation: string): string {
  return indexLocation.split('/').at(-2) ?? ''
}

/** `undefined` if there is none or it is damaged: then the dump is made again. */
export async function readDumpIndex(
  deps: Pick<LakeServices, 'log' | 'objects'>,
  location: string,
): Promise<DumpIndex | undefined> {
  try {
    const bytes = await deps.objects.read(location, { bytesMax: METADATA_FILE_BYTES_MAX })
    return parseDumpIndex(new TextDecoder().decode(bytes))
  } catch (err) {
    if (!(err instanceof CatalogError)) throw err
    if (err.code === 'file-not-found') return undefined
    if (err.code !== 'metadata-corrupt') throw err
    deps.log.warn({ err, location }, 'the index of a dump is damaged; the dump will be made again')
    return undefined
  }
}
