import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporaryName } from '../../../src/objects/local/local-location.ts'
import { sweepEmptyFolders, sweepTemporaryFiles } from '../../../src/objects/local/local-sweep.ts'

const BEFORE_MS = Date.UTC(2026, 0, 1)
const { signal } = new AbortController()

let uuids = 0
const temporary = () =>
  temporaryName(`00000000-0000-4000-8000-${String(++uuids).padStart(12, '0')}`)

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moraine-sweep-'))
})
afterEach(() => rm(root, { recursive: true }))

async function touch(name: string, ageMs: number): Promise<string> {
  const path = join(root, name)
  await writeFile(path, 'x')
  await age(path, ageMs)
  return path
}

async function age(path: string, ageMs: number): Promise<void> {
  const at = new Date(BEFORE_MS - ageMs)
  await utimes(path, at, at)
}

test('temporary files go by their age, at any depth, and nothing else does', async () => {
  await mkdir(join(root, 'a/b'), { recursive: true })
  const old = [await touch(temporary(), 1), await touch(`a/b/${temporary()}`, 1)]
  const kept = [
    await touch(temporary(), 0),
    await touch(`a/${temporary()}`, -1),
    await touch('a/b/data.parquet', 1_000),
  ]
  const outside = await mkdtemp(join(tmpdir(), 'moraine-outside-'))
  await symlink(outside, join(root, 'link'))
  await writeFile(join(outside, temporary()), 'x')
  expect(await sweepTemporaryFiles(root, { beforeMs: BEFORE_MS, signal })).toBe(2)
  expect(old.map(existsSync)).toEqual([false, false])
  expect(kept.map(existsSync)).toEqual([true, true, true])
  expect(await sweepTemporaryFiles(outside, { beforeMs: BEFORE_MS, signal })).toBe(0)
  await rm(outside, { recursive: true })
})

test('empty folders go by their age when they are free; the root and full ones stay', async () => {
  const folders = ['old', 'young', 'taken', 'full', 'full/empty']
  for (const name of folders) await mkdir(join(root, name))
  await touch('full/file', 1)
  for (const name of folders) await age(join(root, name), name === 'young' ? 0 : 1)
  const asked: string[] = []
  const isFree = async (location: string) => {
    asked.push(location)
    return !location.endsWith('/taken')
  }
  const options = { beforeMs: BEFORE_MS, signal, location: 'file:///w', isFree }
  expect(await sweepEmptyFolders(root, options)).toBe(2)
  expect(folders.map((name) => existsSync(join(root, name)))).toEqual([
    ...[false, true, true, true, false],
  ])
  expect(asked.sort()).toEqual(['file:///w/full/empty', 'file:///w/old', 'file:///w/taken'])
})

test('an empty root is no folder below itself', async () => {
  await age(root, 1_000)
  const options = { beforeMs: BEFORE_MS, signal, location: 'file:///w', isFree: async () => true }
  expect(await sweepEmptyFolders(root, options)).toBe(0)
  expect(existsSync(root)).toBe(true)
})
