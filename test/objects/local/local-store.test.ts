import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { LocalThreads } from '../../../src/objects/local/local-threads.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import {
  attemptsOn,
  bytesOf,
  describeObjectStore,
  expectCode,
  namesBelow,
  textOf,
} from '../object-store.contract.ts'
import { describeObjectVersions } from '../object-versions.contract.ts'

const inThreads = new LocalThreads({ writers: 2, readers: 1 })
const WAYS = [
  ['in calls of its own', undefined],
  ['in threads', inThreads],
] as const

afterAll(() => inThreads.close())

async function temporaryFolder(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), 'moraine-objects-')))
}

for (const [way, threads] of WAYS) {
  for (const describeStore of [describeObjectStore, describeObjectVersions])
    describeStore(`of local files, ${way}`, async () => {
      const base = await temporaryFolder()
      await writeFile(`${base}/secret`, 'secret')
      const store = await openLocalStore({
        writableRoots: [`${base}/warehouse`],
        readableRoots: [],
        ...(threads === undefined ? {} : { threads }),
      })
      return {
        store,
        root: `file://${base}/warehouse`,
        outside: `file://${base}/secret`,
        close: () => rm(base, { recursive: true }),
      }
    })
}

for (const describeStore of [describeObjectStore, describeObjectVersions])
  describeStore('of local files below a root that is a symbolic link', async () => {
    const base = await temporaryFolder()
    await mkdir(`${base}/real`)
    await symlink(`${base}/real`, `${base}/link`)
    const root = `file://${base}/link`
    return {
      store: await openLocalStore({ writableRoots: [root], readableRoots: [] }),
      root,
      outside: `file://${base}/elsewhere`,
      close: () => rm(base, { recursive: true }),
    }
  })

describe.each(WAYS)('the local store and its roots, %s', (_way, threads) => {
  let base: string
  let store: ObjectStore

  beforeEach(async () => {
    base = await temporaryFolder()
    await mkdir(`${base}/lake/sub`, { recursive: true })
    await mkdir(`${base}/private`)
    await writeFile(`${base}/lake/file`, 'of the lake')
    await writeFile(`${base}/private/secret`, 'secret')
    store = await openLocalStore({
      writableRoots: [`file://${base}/warehouse`],
      readableRoots: [`${base}/lake/`, `${base}/later`],
      ...(threads === undefined ? {} : { threads }),
    })
  })
  afterEach(() => rm(base, { recursive: true }))

  test('a location is read in each of its three spellings, and returned verbatim', async () => {
    for (const location of [
      `file://${base}/lake/file`,
      `file:${base}/lake/file`,
      `${base}/lake/file`,
    ]) {
      expect(textOf(await store.read(location, { bytesMax: 99 }))).toBe('of the lake')
      expect(await store.find(location)).toMatchObject({ location })
    }
    expect(await namesBelow(store, `file:${base}/lake`)).toEqual([`file:${base}/lake/file`])
  })

  test('a host in the URI is refused', async () => {
    await expectCode(store.find(`file://host${base}/lake/file`), 'location-invalid')
    await expectCode(store.find('file://'), 'location-invalid')
  })

  test.each([
    ['a doubled slash', '/warehouse//file'],
    ['a dot', '/warehouse/./file'],
    ['both, at the beginning, too', '/warehouse/.//./file'],
  ])('one file is written, read and deleted by a spelling with %s', async (_, spelled) => {
    const plain = `file://${base}/warehouse/file`
    const other = `file:///${base}${spelled}`
    await store.putIfAbsent(plain, bytesOf('x'))
    expect(await store.putIfAbsent(other, bytesOf('y'))).toBe('already-exists')
    expect(textOf(await store.read(other, { bytesMax: 9 }))).toBe('x')
    expect(await store.findLocalPath(other)).toBe(`${base}/warehouse/file`)
    await store.delete(other)
    expect(await store.find(plain)).toBeUndefined()
    await expectCode(store.read(`${base}/warehouse//../../x`, { bytesMax: 9 }), 'location-invalid')
    await expectCode(
      store.read(`${base}/warehouses//file`, { bytesMax: 9 }),
      'location-not-allowed',
    )
  })

  test('a root that comes into being later is read then', async () => {
    expect(await store.find(`${base}/later/file`)).toBeUndefined()
    await mkdir(`${base}/later`)
    await writeFile(`${base}/later/file`, 'x')
    expect(await store.find(`${base}/later/file`)).toMatchObject({ sizeBytes: 1 })
  })

  test('a folder whose name only begins like a root is outside', async () => {
    await mkdir(`${base}/lake2`)
    await writeFile(`${base}/lake2/file`, 'x')
    await expectCode(store.find(`${base}/lake2/file`), 'location-not-allowed')
    await expectCode(store.find(`${base}/lak`), 'location-not-allowed')
  })

  test('a root for reading is neither written to nor deleted from', async () => {
    await expectCode(store.putIfAbsent(`${base}/lake/new`, bytesOf('x')), 'location-not-allowed')
    await expectCode(store.delete(`${base}/lake/file`), 'location-not-allowed')
    expect(await readFile(`${base}/lake/file`, 'utf8')).toBe('of the lake')
    expect(await store.find(`${base}/lake/new`)).toBeUndefined()
  })

  test('a refusal names the location and the variable, not whether anything exists', async () => {
    const missing = await refusalOf(store, `${base}/private/nothing`)
    const present = await refusalOf(store, `${base}/private/secret`)
    expect(missing).toContain(`${base}/private/nothing`)
    expect(missing).toContain('MORAINE_ALLOWED_LOCATIONS')
    expect(missing.replaceAll('nothing', 'secret')).toBe(present)
  })

  test.each([
    ['a file outside', 'private/secret'],
    ['a folder outside', 'private'],
    ['nothing outside', 'private/nothing'],
    ['nothing in a folder outside that is not there', 'nowhere/nothing'],
    ['a file outside taken for a folder', 'private/secret/nothing'],
  ])('a link to %s is refused by every operation', async (_, target) => {
    await symlink(`${base}/${target}`, `${base}/warehouse/absolute`)
    await symlink(`../${target}`, `${base}/warehouse/relative`)
    await symlink('relative', `${base}/warehouse/twice`)
    for (const link of ['absolute', 'relative', 'twice']) {
      for (const name of [link, `${link}/secret`, `${link}/nothing`, `${link}/a/b`]) {
        const attempts = attemptsOn(store, `file://${base}/warehouse/${name}`)
        for (const attempt of attempts) await expectCode(attempt, 'location-not-allowed')
      }
    }
    expect(await readFile(`${base}/private/secret`, 'utf8')).toBe('secret')
    expect(await namesBelow(store, `${base}/warehouse`)).toEqual([])
  })

  test('a link that stays inside the roots is followed, and not listed', async () => {
    await symlink('../lake/file', `${base}/warehouse/link`)
    await symlink(`${base}/lake`, `${base}/warehouse/folder`)
    for (const name of ['link', 'folder/file']) {
      const location = `${base}/warehouse/${name}`
      expect(textOf(await store.read(location, { bytesMax: 99 }))).toBe('of the lake')
      expect(await store.find(location)).toMatchObject({ location, sizeBytes: 11 })
    }
    expect(await namesBelow(store, `${base}/warehouse`)).toEqual([])
    expect(await namesBelow(store, `${base}/warehouse/folder`)).toEqual([
      `${base}/warehouse/folder/file`,
    ])
  })

  test('of many locations, one that leads through a link is found, with its own name', async () => {
    await symlink('../lake/file', `${base}/warehouse/link`)
    await symlink(`${base}/lake`, `${base}/warehouse/folder`)
    await symlink('nothing', `${base}/warehouse/dangling`)
    await symlink(`${base}/private`, `${base}/warehouse/out`)
    const others = [
      ...[`${base}/lake/file`, `${base}/warehouse/nothing`, `${base}/warehouse/no/folder/x`],
      ...[`${base}/private/secret`, 's3://bucket/key', 'x', `file://${base}/warehouse/a/../b`],
    ]
    expect(await store.findLinked(others)).toBeUndefined()
    const ownLocation = `file://${base}/lake/file`
    for (const [name, own] of [
      ['link', ownLocation],
      ['folder/file', ownLocation],
      ['folder/nothing', undefined],
      ['dangling', undefined],
      ['out/secret', undefined],
    ]) {
      const location = `file://${base}/warehouse/${name}`
      const found = await store.findLinked([...others, location])
      expect(found).toEqual({ location, ownLocation: own })
    }
  })

  test('nothing is deleted through a link to a folder: it may be of others', async () => {
    await store.putIfAbsent(`${base}/warehouse/there/file`, bytesOf('x'))
    await symlink(`${base}/warehouse/there`, `${base}/warehouse/folder`)
    await expectCode(store.delete(`${base}/warehouse/folder/file`), 'location-not-allowed')
    expect(await readFile(`${base}/warehouse/there/file`, 'utf8')).toBe('x')
    await store.delete(`${base}/warehouse/there/file`)
    expect(await store.find(`${base}/warehouse/there/file`)).toBeUndefined()
  })

  test('a link from the warehouse to a root for reading is not written through', async () => {
    await symlink(`${base}/lake`, `${base}/warehouse/folder`)
    const location = `${base}/warehouse/folder/file`
    await expectCode(store.putIfAbsent(location, bytesOf('x')), 'location-not-allowed')
    await expectCode(store.delete(location), 'location-not-allowed')
    expect(await readFile(`${base}/lake/file`, 'utf8')).toBe('of the lake')
  })

  test('links in a circle lead nowhere and end cleanly', async () => {
    await symlink('there', `${base}/warehouse/here`)
    await symlink('here', `${base}/warehouse/there`)
    for (const attempt of attemptsOn(store, `${base}/warehouse/here/file`)) {
      await expectCode(attempt, 'location-not-allowed')
    }
  })

  test('a link inside the warehouse to nothing inside it is refused, not created', async () => {
    await symlink('nothing', `${base}/warehouse/dangling`)
    const put = store.putIfAbsent(`${base}/warehouse/dangling/file`, bytesOf('x'))
    await expectCode(put, 'location-invalid')
    await expectCode(store.read(`${base}/warehouse/dangling`, { bytesMax: 1 }), 'file-not-found')
  })
})

async function refusalOf(store: ObjectStore, location: string): Promise<string> {
  const attempts = attemptsOn(store, location).map((attempt) => {
    return attempt.then(
      () => 'no error',
      (error: unknown) => String(error),
    )
  })
  return (await Promise.all(attempts)).join('\n')
}
