import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'

/** Files of this name are deleted, as by another process, once somebody has looked at them. */
const NAME = 'vanishing'

const files = await import('node:fs/promises')
jest.unstable_mockModule('node:fs/promises', () => ({
  ...files,
  lstat: async (path: string) => {
    const found = await files.lstat(path)
    if (path.endsWith(`/${NAME}`)) await files.rm(path)
    return found
  },
}))
const { openLocalStore } = await import('../../../src/objects/local/local-store.ts')

test('a file that is deleted after it was in the way was a file all the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-vanishing-'))
  try {
    const store = await openLocalStore({ writableRoots: [folder], readableRoots: [] })
    const [location, bytes] = [`file://${folder}/${NAME}`, Buffer.from('bytes')]
    expect(await store.putIfAbsent(location, bytes)).toBe('written')
    expect(await store.putIfAbsent(location, bytes)).toBe('already-exists')
    expect(await store.putIfAbsent(location, bytes)).toBe('written')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
