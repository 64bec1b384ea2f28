import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that was last changed so long ago; answers its path. */
export async function oldFile(path: string, ageMs: number, text = 'x'): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
  return path
}
