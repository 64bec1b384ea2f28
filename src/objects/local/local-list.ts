import { lstat, opendir, realpath } from 'node:fs/promises'
import type { ObjectInfo } from '../object-store.ts'
import { errorCodeOf, isMissing, translateError } from './local-error.ts'
import { isTemporaryName, isUsableName } from './local-location.ts'
import { stateOf } from './local-version.ts'

const STATS_AT_ONCE = 32

interface Folder {
  readonly realPath: string
  readonly location: string
}

/**
 * Lists every plain file below `realPath`, named by `location`. Files removed in between are left
 * out.
 */
export async function* listFiles(realPath: string, location: string): AsyncIterable<ObjectInfo> {
  const folders: Folder[] = [{ realPath: realPath === '/' ? '' : realPath, location }]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    yield* listFolder(folder, folders)
  }
}

/** Lists the files of one folder, and adds its folders to `folders`. */
async function* listFolder(folder: Folder, folders: Folder[]): AsyncIterable<ObjectInfo> {
  let names: string[] = []
  for await (const entry of readEntries(folder)) {
    if (!isUsableName(entry.name) || isTemporaryName(entry.name)) continue
    if (entry.isDirectory()) folders.push(childOf(folder, entry.name))
    if (!entry.isFile()) continue
    names.push(entry.name)
    if (names.length < STATS_AT_ONCE) continue
    yield* statFiles(folder, names)
    names = []
  }
  yield* statFiles(folder, names)
}

async function* readEntries(folder: Folder): ReturnType<typeof entriesOf> {
  try {
    // If a folder was replaced by a link after being listed, the link is not followed.
    const path = folder.realPath === '' ? '/' : folder.realPath
    if ((await realpath(path)) === path) yield* entriesOf(path)
  } catch (error) {
    if (!isMissing(error) && errorCodeOf(error) !== 'ELOOP') {
      throw translateError(error, 'read', folder.location)
    }
  }
}

async function* entriesOf(path: string) {
  yield* await opendir(path, { bufferSize: 256 })
}

async function* statFiles(folder: Folder, names: readonly string[]): AsyncIterable<ObjectInfo> {
  const infos = await Promise.all(names.map((name) => statFile(childOf(folder, name))))
  for (const info of infos) if (info !== undefined) yield info
}

async function statFile({ realPath, location }: Folder): Promise<ObjectInfo | undefined> {
  try {
    const stats = await lstat(realPath)
    if (!stats.isFile()) return undefined
    return { location, ...stateOf(stats) }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw translateError(error, 'read', location)
  }
}

function childOf(folder: Folder, name: string): Folder {
  return { realPath: `${folder.realPath}/${name}`, location: `${folder.location}/${name}` }
}
