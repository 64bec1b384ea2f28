import { homeOf } from './dump-home.ts'

const MARK = /^(.*\/)linked-until-(\d+)$/
/** Marks of so many seconds are one. */
const ROUNDED_SECONDS = 3_600

/**
 * Location, next to the index, of a mark that says until when links to the dump are valid: until
 * then no sweep of any process takes it.
 */
export function linkMark(indexLocation: string, untilMs: number): string {
  const seconds = Math.ceil(untilMs / 1_000 / ROUNDED_SECONDS) * ROUNDED_SECONDS
  return `${homeOf(indexLocation)}linked-until-${seconds}`
}

/** The folders, with a slash at their end, of dumps to which links are still valid. */
export function linkedFolders(locations: Iterable<string>, nowMs: number): ReadonlySet<string> {
  const folders = new Set<string>()
  for (const location of locations) {
    const [, folder, seconds] = MARK.exec(location) ?? []
    if (folder !== undefined && Number(seconds) * 1_000 > nowMs) folders.add(folder)
  }
  return folders
}

/** Whether it is a mark that is still needed. */
export function isValidMark(location: string, nowMs: number): boolean {
  return linkedFolders([location], nowMs).size > 0
}
