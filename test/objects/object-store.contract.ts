import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { refusal, refusalOf } from '../refusal.ts'

export interface OpenedStore {
  readonly store: ObjectStore
  /** A folder that may be written, without a slash at its end. */
  readonly root: string
  /** A location outside of all roots. */
  readonly outside: string
  close(): Promise<void>
}

/** What every object store promises. `open` gives an empty store. */
export function describeObjectStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the object store ${name}`, () => {
    let opened: OpenedStore
    let store: ObjectStore
    let root: string

    beforeEach(async () => {
      opened = await open()
      store = opened.store
      root = opened.root
    })
    afterEach(() => opened.close())

    test('what was put is read back, whole, in part and from its end', async () => {
      const location = `${root}/a/b/data.bin`
      expect(await store.putIfAbsent(location, bytesOf('0123456789'))).toBe('written')
      expect(textOf(await store.read(location, { bytesMax: 10 }))).toBe('0123456789')
      expect(textOf(await store.readRange(location, 2, 3))).toBe('234')
      expect(textOf(await store.readRange(location, 8, 5))).toBe('89')
      expect(textOf(await store.readRange(location, 10, 5))).toBe('')
      expect(textOf(await store.readRange(location, 99, 5))).toBe('')
      expect(textOf(await store.readRange(location, 3, 0))).toBe('')
      expect(tailOf(await store.readTail(location, 4))).toEqual(['6789', 10])
      expect(tailOf(await store.readTail(location, 400))).toEqual(['0123456789', 10])
      const { modifiedAtMs } = (await store.find(location)) ?? {}
      expect(await store.readTail(location, 4)).toMatchObject({ modifiedAtMs })
    })

    test('an empty object is an object', async () => {
      const location = `${root}/empty`
      expect(await store.putIfAbsent(location, new Uint8Array())).toBe('written')
      expect(await store.read(location, { bytesMax: 0 })).toHaveLength(0)
      expect(tailOf(await store.readTail(location, 8))).toEqual(['', 0])
      expect(await store.find(location)).toMatchObject({ location, sizeBytes: 0 })
    })

    test('bytes of every value come back as they were', async () => {
      const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
      await store.putIfAbsent(`${root}/all`, bytes)
      const read = await store.read(`${root}/all`, { bytesMax: 300_000 })
      expect(Buffer.compare(read, bytes)).toBe(0)
    })

    test('a second put changes nothing and says so', async () => {
      const location = `${root}/once`
      await store.putIfAbsent(location, bytesOf('first'))
      expect(await store.putIfAbsent(location, bytesOf('second'))).toBe('already-exists')
      const again = await store.putStreamIfAbsent(location, chunksOf('third'), { bytesMax: 9 })
      expect(again.outcome).toBe('already-exists')
      expect(textOf(await store.read(location, { bytesMax: 99 }))).toBe('first')
      expect(await namesBelow(store, root)).toEqual([location])
    })

    test('of many writers of one name exactly one wins, and its bytes stay', async () => {
      const location = `${root}/deep/er/contested`
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, async (_, i) => {
          return store.putIfAbsent(location, bytesOf(`writer ${i}`))
        }),
      )
      expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1)
      const winner = outcomes.indexOf('written')
      expect(textOf(await store.read(location, { bytesMax: 99 }))).toBe(`writer ${winner}`)
      expect(await namesBelow(store, root)).toEqual([location])
    })

    test('a stream is put as its chunks came, and counted', async () => {
      const location = `${root}/streamed`
      const put = store.putStreamIfAbsent(location, chunksOf('ab', '', 'cde'), { bytesMax: 5 })
      expect(await put).toEqual({ outcome: 'written', sizeBytes: 5 })
      expect(textOf(await store.read(location, { bytesMax: 5 }))).toBe('abcde')
    })

    test('a stream that breaks passes its error on and leaves nothing', async () => {
      const location = `${root}/folder/broken`
      const put = store.putStreamIfAbsent(location, breakingChunks(), { bytesMax: 99 })
      await expect(put).rejects.toThrow('the client went away')
      expect(await store.find(location)).toBeUndefined()
      expect(await namesBelow(store, root)).toEqual([])
      expect(await store.putIfAbsent(location, bytesOf('x'))).toBe('written')
    })

    test('a stream beyond its limit is refused, stops its source and leaves nothing', async () => {
      const location = `${root}/large`
      const source = { isStopped: false }
      const put = store.putStreamIfAbsent(location, endlessChunks(source), { bytesMax: 10_000 })
      await expect(put).rejects.toMatchObject({
        code: 'body-too-large',
        facts: { bytesMax: 10_000 },
      })
      expect(source.isStopped).toBe(true)
      expect(await store.find(location)).toBeUndefined()
    })

    test('an object is not visible before its stream has ended', async () => {
      const location = `${root}/slow`
      const seen: unknown[] = []
      async function* watched() {
        yield bytesOf('first half')
        seen.push(await store.find(location), await namesBelow(store, root))
        yield bytesOf('second half')
      }
      await store.putStreamIfAbsent(location, watched(), { bytesMax: 99 })
      expect(seen).toEqual([undefined, []])
      expect(await store.find(location)).toMatchObject({ sizeBytes: 21 })
    })

    test('reading more than the caller allows is refused', async () => {
      await store.putIfAbsent(`${root}/ten`, bytesOf('0123456789'))
      await expectCode(store.read(`${root}/ten`, { bytesMax: 9 }), 'body-too-large')
    })

    test('a missing object is not found, by name', async () => {
      const location = `${root}/none/at-all`
      await expectCode(store.read(location, { bytesMax: 1 }), 'file-not-found')
      await expectCode(store.readRange(location, 0, 1), 'file-not-found')
      await expectCode(store.readTail(location, 1), 'file-not-found')
      await expect(store.read(location, { bytesMax: 1 })).rejects.toThrow(location)
      expect(await store.find(location)).toBeUndefined()
    })

    test('whether a file may be read is told by its name alone', async () => {
      store.requireReadable(`${root}/never/written`)
      const codes = [opened.outside, `${root}2/a`, `${root}/../a`, 'nowhere'].map((location) => {
        return refusalOf(() => store.requireReadable(location)).code
      })
      expect(codes.slice(0, 2)).toEqual(['location-not-allowed', 'location-not-allowed'])
      expect(codes.slice(2)).toEqual(['location-invalid', 'location-invalid'])
    })

    test('a separator in a value may be encoded, unless it leads elsewhere', async () => {
      const names = ['kind=a%2Fb%20c/x', 'kind=%C5%BC%2F%25/x', 'a%2fb', '...%2f..a/x']
      for (const name of names) {
        const location = `${root}/${name}`
        store.requireReadable(location)
        expect(await store.putIfAbsent(location, bytesOf(name))).toBe('written')
        expect(textOf(await store.read(location, { bytesMax: 99 }))).toBe(name)
        expect(await store.find(location)).toMatchObject({ location })
      }
      expect(await namesBelow(store, root)).toEqual(names.map((n) => `${root}/${n}`).sort())
      await store.delete(`${root}/a%2fb`)
      expect(await store.find(`${root}/a%2fb`)).toBeUndefined()
      const elsewhere = 'a%2F..%2Fb ..%2fa a/%2e%2e/b %2E%2e%2Fa a%5c..%5cb a%00'.split(' ')
      for (const name of elsewhere) {
        const { code } = refusalOf(() => store.requireReadable(`${root}/${name}`))
        expect([name, code]).toEqual([name, 'location-invalid'])
      }
    })

    test('find answers size and time', async () => {
      const location = `${root}/found`
      await store.putIfAbsent(location, bytesOf('12345'))
      const info = await store.find(location)
      expect(info).toMatchObject({ location, sizeBytes: 5 })
      expect(Number.isInteger(info?.modifiedAtMs)).toBe(true)
      expect(info?.modifiedAtMs).toBeGreaterThan(Date.UTC(2020, 0))
    })

    test('list answers every object below a folder and none beside it', async () => {
      const wanted = ['t/one', 't/a/two', 't/a/b/c/three', 't/.hidden'].map((n) => `${root}/${n}`)
      for (const location of [...wanted, `${root}/t2/other`, `${root}/t-`]) {
        await store.putIfAbsent(location, bytesOf(location))
      }
      expect(await namesBelow(store, `${root}/t`)).toEqual([...wanted].sort())
      expect(await namesBelow(store, `${root}/t/`)).toEqual([...wanted].sort())
      for await (const info of store.list(`${root}/t`)) {
        expect(info).toEqual(await store.find(info.location))
      }
    })

    test('list of very many objects is complete', async () => {
      const names = Array.from({ length: 150 }, (_, i) => `${root}/many/f${1000 + i}`)
      await Promise.all(names.map((name) => store.putIfAbsent(name, bytesOf('x'))))
      expect(await namesBelow(store, `${root}/many`)).toEqual(names)
    })

    test('list of a missing folder is empty', async () => {
      expect(await namesBelow(store, `${root}/nowhere`)).toEqual([])
    })

    test('delete removes an object, and only that one; a missing one is no error', async () => {
      await store.putIfAbsent(`${root}/d/gone`, bytesOf('x'))
      await store.putIfAbsent(`${root}/d/kept`, bytesOf('x'))
      await store.delete(`${root}/d/gone`)
      await store.delete(`${root}/d/gone`)
      await store.delete(`${root}/nowhere/gone`)
      expect(await namesBelow(store, root)).toEqual([`${root}/d/kept`])
      expect(await store.putIfAbsent(`${root}/d/gone`, bytesOf('y'))).toBe('written')
    })

    test('a local file is taken over, once', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'moraine-put-file-'))
      const path = join(folder, 'made')
      for (const [text, outcome] of [
        ['first', 'written'],
        ['second', 'already-exists'],
      ] as const) {
        await writeFile(path, text)
        expect(await store.putFileIfAbsent(`${root}/taken/over`, path)).toBe(outcome)
        await rm(path, { force: true })
      }
      expect(textOf(await store.read(`${root}/taken/over`, { bytesMax: 9 }))).toBe('first')
      await rm(folder, { recursive: true })
    })

    test('a stream gives exactly the bytes of its range', async () => {
      const bytes = new Uint8Array(3_000_000).map((_, i) => i % 251)
      await store.putIfAbsent(`${root}/long`, bytes)
      const streamed: Uint8Array[] = []
      for await (const chunk of store.readStream(`${root}/long`, 7, 2_900_000)) streamed.push(chunk)
      expect(Buffer.concat(streamed).equals(bytes.subarray(7, 2_900_007))).toBe(true)
      const copied: Uint8Array[] = []
      const buffer = new Uint8Array(1_000)
      for await (const chunk of store.readStream(`${root}/long`, 7, 2_900_000, { buffer })) {
        copied.push(new Uint8Array(chunk))
      }
      expect(Buffer.concat(copied).equals(bytes.subarray(7, 2_900_007))).toBe(true)
      const read = async (offset: number, length: number) => {
        for await (const _ of store.readStream(`${root}/long`, offset, length));
      }
      await read(0, 0)
      await expectCode(read(2_999_999, 2), 'file-not-found')
    })

    test('a moved object has its new name only, and the same bytes', async () => {
      const [from, to] = [`${root}/in/ä b+%2Fc`, `${root}/out/far/%25ö &?`]
      await store.putIfAbsent(from, bytesOf('moved'))
      expect(await store.moveIfAbsent(from, to)).toBe('moved')
      expect(await namesBelow(store, root)).toEqual([to])
      expect(textOf(await store.read(to, { bytesMax: 9 }))).toBe('moved')
    })

    test('a move never replaces what is there, and a missing object cannot be moved', async () => {
      await store.putIfAbsent(`${root}/in/a`, bytesOf('a'))
      await store.putIfAbsent(`${root}/out/b`, bytesOf('b'))
      expect(await store.moveIfAbsent(`${root}/in/a`, `${root}/out/b`)).toBe('already-exists')
      expect(await namesBelow(store, root)).toEqual([`${root}/in/a`, `${root}/out/b`])
      await expectCode(store.moveIfAbsent(`${root}/in/c`, `${root}/out/c`), 'file-not-found')
      await expectCode(store.moveIfAbsent(`${root}/no/c`, `${root}/out/c`), 'file-not-found')
      await expectCode(
        store.moveIfAbsent(`${root}/in/a`, `${opened.outside}/a`),
        'location-not-allowed',
      )
    })

    test('folders for others hold no objects, and only empty ones that are free go', async () => {
      const folders = [`${root}/made/a/b`, `${root}/made/full`, `${root}/made/taken`]
      for (const folder of [...folders, ...folders]) await store.makeFolder(folder)
      await store.putIfAbsent(`${root}/made/full/x`, bytesOf('x'))
      expect(await namesBelow(store, root)).toEqual([`${root}/made/full/x`])
      const asked: string[] = []
      const sweep = (beforeMs: number) =>
        store.deleteEmptyFolders(`${root}/made`, {
          ...{ beforeMs, signal: new AbortController().signal },
          isFree: async (folder) => {
            asked.push(folder)
            return folder !== `${root}/made/taken`
          },
        })
      expect([await sweep(0), asked]).toEqual([0, []])
      const deleted = await sweep(Date.now() + 60_000)
      expect(folders).toEqual(expect.arrayContaining(asked))
      expect(asked).not.toContain(`${root}/made/full`)
      expect(deleted).toBe(asked.filter((folder) => folder === `${root}/made/a/b`).length)
      expect(await store.putIfAbsent(`${root}/made/a/b/y`, bytesOf('y'))).toBe('written')
      expect(textOf(await store.read(`${root}/made/full/x`, { bytesMax: 9 }))).toBe('x')
    })

    test('names are taken verbatim', async () => {
      const names = ['year=2024/a b.parquet', 'a%20b', 'a+b', 'ä/日本/😀', 'x?y=1#z', '%', 'A', 'a']
      for (const name of names) {
        expect(await store.putIfAbsent(`${root}/${name}`, bytesOf(name))).toBe('written')
      }
      for (const name of names) {
        expect(textOf(await store.read(`${root}/${name}`, { bytesMax: 99 }))).toBe(name)
      }
      const locations = names.map((name) => `${root}/${name}`).sort()
      expect(await namesBelow(store, root)).toEqual(locations)
    })

    test('every operation refuses a location outside the roots', async () => {
      for (const attempt of attemptsOn(store, opened.outside)) {
        await expectCode(attempt, 'location-not-allowed')
      }
    })

    test.each(['', 'relative/name', 'http://example.org/x', 'unknown:/x'])(
      'every operation refuses the malformed location %j',
      async (location) => {
        for (const attempt of attemptsOn(store, location)) {
          await expectCode(attempt, 'location-invalid')
        }
      },
    )

    test.each([
      '../up',
      'a/../../up',
      'a\\b',
      'a\u0000b',
      'a\nb',
      'a\u007fb',
      '%2e%2e/up',
      '..%2Fup',
      'a%5cb',
      'a%00',
      'a%2Eb',
      'a\ud800b',
    ])('every operation refuses the name %j', async (name) => {
      for (const attempt of attemptsOn(store, `${root}/${name}`)) {
        await expectCode(attempt, 'location-invalid')
      }
    })

    test('a location too long for any store is refused', async () => {
      for (const attempt of attemptsOn(store, `${root}/${'n'.repeat(5_000)}`)) {
        await expectCode(attempt, 'location-invalid')
      }
    })

    test('an object is not a folder', async () => {
      await expectCode(store.putIfAbsent(`${root}/slash/`, bytesOf('x')), 'location-invalid')
    })
  })
}

export function attemptsOn(store: ObjectStore, location: string): Promise<unknown>[] {
  const attempts = [
    store.putIfAbsent(location, bytesOf('x')),
    store.putStreamIfAbsent(location, chunksOf('x'), { bytesMax: 9 }),
    store.read(location, { bytesMax: 9 }),
    store.readRange(location, 0, 1),
    store.readTail(location, 1),
    store.find(location),
    store.delete(location),
    store.makeFolder(location),
    namesBelow(store, location),
  ]
  // They settle before they are looked at, one by one.
  for (const attempt of attempts) attempt.catch(() => undefined)
  return attempts
}

export async function expectCode(attempt: Promise<unknown>, code: string): Promise<void> {
  expect((await refusal(attempt)).code).toBe(code)
}

export async function namesBelow(store: ObjectStore, folder: string): Promise<string[]> {
  const locations: string[] = []
  for await (const info of store.list(folder)) locations.push(info.location)
  return locations.sort()
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function tailOf({ bytes, sizeBytes }: { bytes: Uint8Array; sizeBytes: number }): unknown[] {
  return [textOf(bytes), sizeBytes]
}

export async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text)
}

async function* breakingChunks(): AsyncGenerator<Uint8Array> {
  yield bytesOf('some bytes')
  throw new Error('the client went away')
}

async function* endlessChunks(source: { isStopped: boolean }): AsyncGenerator<Uint8Array> {
  try {
    for (;;) yield new Uint8Array(4_096)
  } finally {
    source.isStopped = true
  }
}
