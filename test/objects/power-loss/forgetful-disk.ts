import { appendFileSync, fstatSync, lstatSync, readdirSync, readFileSync } from 'node:fs'

/**
 * A fake of a disk that loses power: what a folder holds if only what was synced is still there.
 * A file has its bytes of when it was last synced, a folder its names of then.
 */
type Synced =
  | { readonly inode: number; readonly bytes: string }
  | { readonly inode: number; readonly names: Readonly<Record<string, number>> }

/** Notes in the journal what a sync of the open file or folder makes durable. */
export function noteSync(journal: string, descriptor: number): void {
  const opened = fstatSync(descriptor)
  const path = `/proc/self/fd/${descriptor}`
  const inode = opened.ino
  const synced: Synced = opened.isDirectory()
    ? { inode, names: namesIn(path) }
    : { inode, bytes: readFileSync(path, 'base64') }
  appendFileSync(journal, `${JSON.stringify(synced)}\n`)
}

function namesIn(folder: string): Record<string, number> {
  const names = readdirSync(folder)
  return Object.fromEntries(names.map((name) => [name, lstatSync(`${folder}/${name}`).ino]))
}

/** The files below the root after a loss of power, by path; a file never synced is empty. */
export function afterPowerLoss(root: string, journal: string): Record<string, string> {
  const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
  const last = new Map<number, Synced>()
  for (const line of lines) {
    const synced = JSON.parse(line) as Synced
    last.set(synced.inode, synced)
  }
  const files: Record<string, string> = {}
  const visit = (inode: number, path: string, isFolder: boolean): void => {
    const synced = last.get(inode)
    if (synced !== undefined && 'names' in synced) {
      for (const [name, below] of Object.entries(synced.names))
        visit(below, `${path}/${name}`, false)
    } else if (!isFolder) {
      files[path.slice(1)] = Buffer.from(synced?.bytes ?? '', 'base64').toString()
    }
  }
  visit(lstatSync(root).ino, '', true)
  return files
}
