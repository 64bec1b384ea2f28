import { lstatSync, realpathSync } from 'node:fs'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { isTurnDue, Turns } from '../../core/turns.ts'
import type { LinkedObject } from '../object-store.ts'
import { folderOf, nameOf, pathOfFile } from './local-location.ts'
import type { LocalRoots } from './local-roots.ts'
import type { LocalThreads } from './local-threads.ts'
import type { FoundNames, NamesTask } from './local-worker-protocol.ts'

/** Some milliseconds of one thread. */
const NAMES_AT_ONCE = 1_000
/** Others wait for the same threads. */
const TASKS_AT_ONCE = 2

/** Where a folder is, and which of these names in it are links. What is not there is none. */
export function lookAtNames({ folder, names }: NamesTask): FoundNames {
  try {
    const real = realpathSync.native(folder === '' ? '/' : folder)
    const isLink = (name: string) =>
      lstatSync(`${real}/${name}`, { throwIfNoEntry: false })?.isSymbolicLink() === true
    return { outcome: 'looked', realFolder: real === '/' ? '' : real, links: names.filter(isLink) }
  } catch {
    return { outcome: 'looked', realFolder: undefined, links: [] }
  }
}

/**
 * The first location that leads through a link. Each folder is looked at once for so many files,
 * each file once, on a thread if there are any: 40,000 files are some tenths of a second of it.
 */
export async function findLinkedFile(
  roots: LocalRoots,
  threads: LocalThreads | undefined,
  locations: readonly string[],
): Promise<LinkedObject | undefined> {
  const tasks = await tasksOf(roots, locations)
  const found = await mapBounded(tasks, TASKS_AT_ONCE, async (task) => {
    const { folder, names } = task
    const outcome = (await threads?.run(task)) ?? lookAtNames(task)
    if (outcome.outcome !== 'looked' || outcome.realFolder === undefined) return undefined
    const ownFolder = roots.ownPath(outcome.realFolder)
    const name = ownFolder === folder ? outcome.links[0] : names[0]
    return name === undefined ? undefined : `${folder}/${name}`
  })
  const path = found.find((each) => each !== undefined)
  if (path === undefined) return undefined
  return { location: `file://${path}`, ownLocation: await ownLocationOf(roots, path) }
}

/** By folder. Locations that are not of this store lead nowhere. */
async function tasksOf(
  roots: LocalRoots,
  locations: readonly string[],
): Promise<readonly NamesTask[]> {
  const turns = new Turns()
  const byFolder = new Map<string, string[][]>()
  for (const [i, location] of locations.entries()) {
    if (isTurnDue(i)) await turns.take()
    const path = pathInside(roots, location)
    if (path === undefined) continue
    const folder = folderOf(path)
    const lists = byFolder.get(folder)
    const last = lists?.at(-1)
    if (lists === undefined) byFolder.set(folder, [[nameOf(path)]])
    else if (last !== undefined && last.length < NAMES_AT_ONCE) last.push(nameOf(path))
    else lists.push([nameOf(path)])
  }
  return [...byFolder].flatMap(([folder, lists]) =>
    lists.map((names) => ({ kind: 'names' as const, folder, names })),
  )
}

function pathInside(roots: LocalRoots, location: string): string | undefined {
  try {
    const path = pathOfFile(location)
    roots.requireInside(path, location)
    return path
  } catch (error) {
    if (error instanceof CatalogError) return undefined
    throw error
  }
}

/** `undefined` if it leads nowhere, or out of the roots. */
async function ownLocationOf(roots: LocalRoots, path: string): Promise<string | undefined> {
  try {
    const own = roots.ownPath(await roots.resolve(path, `file://${path}`))
    return own === undefined ? undefined : `file://${own}`
  } catch (error) {
    if (error instanceof CatalogError) return undefined
    throw error
  }
}
