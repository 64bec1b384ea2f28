import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { isIndex, readDumpIndex } from './dump-folder.ts'
import { allDumpsFolder } from './dump-key.ts'
import { type DumpPiece, serialiseDumpIndex } from './format/dump-index.ts'

type UpgradeDependencies = Pick<LakeServices, 'log' | 'objects' | 'warehouse'>

type MoveDependencies = Stores<'paths'> & UpgradeDependencies

/** Names that dumps give to what they are made of, below the folder of all of them. */
const FOLDER = '[0-9a-f-]{36}\\/(?:csv|ndjson|parquet|arrows)(?:\\.gz|\\.zst)?'
const SHARD = 'shards\\/(?:header-|footer-|empty-\\d+-)?[0-9a-f]{64}\\.[a-z.-]+'
const INDEX = '\\d+\\/(?:index\\.json|digest-state)'
const FILE_OF_DUMP = new RegExp(`^${FOLDER}\\/(?:${SHARD}|${INDEX})$`)
const MOVES_AT_ONCE = 16
/** Indexes are told once all that they name is there; fewer of them are in memory at once. */
const INDEXES_AT_ONCE = 2

/**
 * Moves the dumps of Moraine 0.1, whose folder had the name of a namespace, to where they are now:
 * only from folders that have an index of ours, and nothing that a table may name. Begins again
 * where a crash left it, since indexes go last; several processes may do it at once. Returns how
 * many files were there.
 */
export async function moveOldDumps(deps: MoveDependencies): Promise<number> {
  const old = `${deps.warehouse}/dumps`
  const found = await findOldDumps(deps, old)
  const indexes = found.filter(isIndex)
  const others = found.filter((path) => !isIndex(path))
  await mapBounded(others, MOVES_AT_ONCE, (path) => moveFile(deps, old, path))
  await mapBounded(indexes, INDEXES_AT_ONCE, (path) => moveIndex(deps, old, path))
  return found.length
}

async function findOldDumps(deps: MoveDependencies, old: string): Promise<readonly string[]> {
  const candidates: string[] = []
  for await (const { location } of deps.objects.list(old)) {
    const path = location.slice(old.length + 1)
    if (FILE_OF_DUMP.test(path)) candidates.push(path)
  }
  const folders = new Set<string>()
  for (const path of candidates.filter(isIndex)) {
    const [tableUuid] = path.split('/')
    const index = await readDumpIndex(deps, `${old}/${path}`)
    if (index?.tableUuid === tableUuid) folders.add(folderOfPath(path))
  }
  const ours = candidates.filter((path) => folders.has(folderOfPath(path)))
  const named = await deps.catalog.paths.findTables(ours.map((path) => `${old}/${path}`))
  return ours.filter((path) => !named.has(`${old}/${path}`))
}

/** `<table uuid>/<format>` */
function folderOfPath(path: string): string {
  return path.split('/').slice(0, 2).join('/')
}

async function moveFile(deps: UpgradeDependencies, old: string, path: string): Promise<void> {
  const from = `${old}/${path}`
  try {
    const outcome = await deps.objects.moveIfAbsent(from, newPlace(deps, path))
    if (outcome === 'already-exists') await deps.objects.delete(from)
  } catch (error) {
    // Another process moves it, too.
    if (!(error instanceof CatalogError) || error.code !== 'file-not-found') throw error
  }
}

/** Last, as ever: no index, no dump. */
async function moveIndex(deps: UpgradeDependencies, old: string, path: string): Promise<void> {
  const from = `${old}/${path}`
  const index = await readDumpIndex(deps, from)
  if (index !== undefined) {
    const folder = `${old}/${folderOfPath(path)}/`
    const moved = (piece: DumpPiece): DumpPiece => {
      const { location } = piece
      if (!location.startsWith(folder)) return piece
      return { ...piece, location: newPlace(deps, location.slice(old.length + 1)) }
    }
    const text = serialiseDumpIndex({ ...index, pieces: index.pieces.map(moved) })
    await deps.objects.putIfAbsent(newPlace(deps, path), new TextEncoder().encode(text))
  }
  await deps.objects.delete(from)
}

function newPlace({ warehouse }: Pick<LakeServices, 'warehouse'>, path: string): string {
  return `${allDumpsFolder(warehouse)}/${path}`
}
