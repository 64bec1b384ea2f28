import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Paths, from the root of the project, of all files that .gitignore leaves to git. */
export function projectFiles(): readonly string[] {
  const isIgnored = ignoring(readFileSync(join(root, '.gitignore'), 'utf8'))
  return [...filesIn('', isIgnored)].sort()
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function* filesIn(folder: string, isIgnored: (path: string) => boolean): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.name === '.git' || isIgnored(`${path}/`) || isIgnored(path)) continue
    if (entry.isDirectory()) yield* filesIn(path, isIgnored)
    else if (entry.isFile()) yield path
  }
}

/**
 * Knows the forms that this project's .gitignore has: names with `*`, folders, and paths from `/`.
 */
function ignoring(gitignore: string): (path: string) => boolean {
  const patterns = gitignore
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const start = line.startsWith('/') ? '^' : '(^|/)'
      const escaped = line.replace(/^\//, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')
      return new RegExp(`${start}${escaped}$`)
    })
  return (path) => patterns.some((pattern) => pattern.test(path))
}
