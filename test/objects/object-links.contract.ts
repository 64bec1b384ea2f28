import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type JoinedPart,
  LINK_SECONDS_MAX,
  type ObjectLinks,
} from '../../src/objects/object-links.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { refusal } from '../refusal.ts'
import { bytesOf, namesBelow } from './object-store.contract.ts'

export interface OpenedLinks {
  readonly store: ObjectStore
  readonly links: ObjectLinks
  /** A folder that may be written to. */
  readonly root: string
  /** One that may not even be read. */
  readonly outside: string
  close(): Promise<void>
}

const WISH = {
  method: 'GET' as const,
  expiresInSeconds: 60,
  contentDisposition: `attachment; filename="a b.csv"; filename*=UTF-8''%C3%A4.csv`,
  contentType: 'text/csv; charset=utf-8',
}
const MIB = 1024 * 1024
const confirm = async () => undefined

/**
 * What every store does that links: with signatures checked, as the real ones do.
 * `checksVersions`: whether it refuses parts that were replaced.
 */
export function describeObjectLinks(
  name: string,
  open: () => Promise<OpenedLinks>,
  { checksVersions }: { readonly checksVersions: boolean },
): void {
  describe(`links ${name}`, () => {
    let opened: OpenedLinks
    let links: ObjectLinks
    let store: ObjectStore
    let root: string
    const { signal } = new AbortController()
    beforeAll(async () => {
      opened = await open()
      links = opened.links
      store = opened.store
    })
    afterAll(() => opened.close())
    beforeEach(() => {
      root = `${opened.root}/${randomUUID()}`
    })

    const put = async (path: string, bytes: Uint8Array) => {
      expect(await store.putIfAbsent(`${root}/${path}`, bytes)).toBe('written')
      return { location: `${root}/${path}`, offset: 0, lengthBytes: bytes.length }
    }
    const whole = async (path: string) => {
      return Buffer.from(await store.read(`${root}/${path}`, { bytesMax: 64 * MIB }))
    }

    test('one reads its object and names the file, as a whole and in ranges', async () => {
      await put('a b+ä=/file?#.csv', bytesOf('0123456789'))
      const url = await links.signedUrl(`${root}/a b+ä=/file?#.csv`, WISH)
      const got = await fetch(url)
      expect([got.status, await got.text()]).toEqual([200, '0123456789'])
      expect(got.headers.get('content-disposition')).toBe(WISH.contentDisposition)
      expect(got.headers.get('content-type')).toBe(WISH.contentType)
      const part = await fetch(url, { headers: { range: 'bytes=2-4' } })
      expect([part.status, await part.text()]).toEqual([206, '234'])
    })

    test('one for HEAD tells what its object is like, and does no more', async () => {
      await put('a', bytesOf('0123456789'))
      const url = await links.signedUrl(`${root}/a`, { ...WISH, method: 'HEAD' })
      const { status, headers } = await fetch(url, { method: 'HEAD' })
      expect([status, headers.get('content-length')]).toEqual([200, '10'])
      for (const method of ['PUT', 'POST', 'DELETE']) {
        const refused = await fetch(url, { method })
        expect([method, [403, 405].includes(refused.status)]).toEqual([method, true])
      }
      const other = new URL(url)
      other.pathname = other.pathname.replace(/a$/, 'b')
      expect((await fetch(other, { method: 'HEAD' })).status).toBe(403)
    })

    test('one serves nothing but reading that object', async () => {
      await put('a', bytesOf('mine'))
      await put('b', bytesOf('other'))
      const url = await links.signedUrl(`${root}/a`, WISH)
      for (const method of ['PUT', 'POST', 'DELETE']) {
        const body = method === 'DELETE' ? {} : { body: 'evil' }
        const { status } = await fetch(url, { method, ...body })
        // Some know no such request at all.
        expect([method, [403, 405].includes(status)]).toEqual([method, true])
      }
      const other = new URL(url)
      other.pathname = other.pathname.replace(/a$/, 'b')
      expect((await fetch(other)).status).toBe(403)
      expect(await whole('a')).toEqual(Buffer.from('mine'))
    })

    test('one that was changed in any part is refused', async () => {
      await put('a', bytesOf('mine'))
      const url = await links.signedUrl(`${root}/a`, WISH)
      expect((await fetch(url)).status).toBe(200)
      const params = [...new URL(url).searchParams.keys()]
      expect(params.length).toBeGreaterThan(6)
      for (const name of params) {
        // Neither has a meaning that a store checks beside the signature.
        if (name === 'x-id') continue
        const changed = new URL(url)
        const value = changed.searchParams.get(name) ?? ''
        const isSignature = /Signature$/.test(name)
        const other = isSignature
          ? value.replace(/.$/, (c) => (c === '0' ? '1' : '0'))
          : `${value}0`
        changed.searchParams.set(name, other)
        const { status } = await fetch(changed)
        expect([name, status >= 400 && status < 404]).toEqual([name, true])
      }
    })

    test('one works until it expires, and then it is refused', async () => {
      await put('a', bytesOf('mine'))
      const [short, long] = await Promise.all([
        links.signedUrl(`${root}/a`, { ...WISH, expiresInSeconds: 2 }),
        links.signedUrl(`${root}/a`, { ...WISH, expiresInSeconds: LINK_SECONDS_MAX }),
      ])
      expect((await fetch(short)).status).toBe(200)
      await sleep(3_100)
      expect((await fetch(short)).status).toBe(403)
      expect((await fetch(long)).status).toBe(200)
    })

    test('none leads out of the folders that may be read', async () => {
      expect(links.canLink(`${root}/a`)).toBe(true)
      expect(links.canLink(`${opened.outside}/a`)).toBe(false)
      expect(links.canLink('file:///a')).toBe(false)
      const refused = await refusal(links.signedUrl(`${opened.outside}/a`, WISH))
      expect(refused.code).toBe('location-not-allowed')
    })

    test('joins whole objects, short and long, and replaces none', async () => {
      const bytes = [
        bytesOf('id,name\n'),
        // Stores copy parts of at least 5 MiB; these are that long even after some is cut off.
        // The first is stored in parts itself.
        ...[33, 6, 6].map((mib, seed) => new Uint8Array(mib * MIB + seed).fill(48 + seed)),
        bytesOf(''),
        bytesOf('end\n'),
      ]
      const parts: JoinedPart[] = []
      for (const [i, each] of bytes.entries()) parts.push(await put(`part ä/${i}+=?.csv`, each))
      const join = () => links.join(parts, `${root}/whole`, { signal, confirm })
      expect(await join()).toBe('written')
      expect((await whole('whole')).equals(Buffer.concat(bytes))).toBe(true)
      expect(await join()).toBe('already-exists')
      expect(await namesBelow(store, root)).toHaveLength(7)
    }, 30_000)

    test('joins parts of objects rightly, or says that it cannot', async () => {
      const bytes = Uint8Array.from({ length: 12 * MIB }, (_, i) => (i * 7) >> 8)
      const { location } = await put('part', bytes)
      const parts = [
        { location, offset: 3, lengthBytes: 4 },
        { location, offset: 1_000, lengthBytes: 11 * MIB },
        { location, offset: 0, lengthBytes: 4 },
      ]
      const outcome = await links.join(parts, `${root}/whole`, { signal, confirm })
      expect(['written', 'not-joinable']).toContain(outcome)
      if (outcome === 'not-joinable') {
        expect(await store.find(`${root}/whole`)).toBeUndefined()
        return
      }
      const wanted = parts.map((p) => bytes.subarray(p.offset, p.offset + p.lengthBytes))
      expect((await whole('whole')).equals(Buffer.concat(wanted))).toBe(true)
    }, 30_000)

    test('joins nothing when a part is missing, or whoever wants it does no more', async () => {
      const parts = [await put('a', bytesOf('head')), await put('b', new Uint8Array(11 * MIB))]
      const stop = async () => {
        throw new Error('stop')
      }
      const stopped = links.join(parts, `${root}/whole`, { signal, confirm: stop })
      await expect(stopped).rejects.toThrow()
      await store.delete(`${root}/a`)
      const missing = await refusal(links.join(parts, `${root}/whole`, { signal, confirm }))
      expect(missing.code).toBe('file-not-found')
      expect(await namesBelow(store, root)).toHaveLength(1)
    })

    test('of joins of one name at once, one wins', async () => {
      const parts = [await put('a', bytesOf('head')), await put('b', new Uint8Array(11 * MIB))]
      const join = () => links.join(parts, `${root}/whole`, { signal, confirm })
      const outcomes = [await join(), ...(await Promise.all([join(), join(), join()]))]
      expect(outcomes.sort()).toEqual([...Array(3).fill('already-exists'), 'written'])
    })

    if (!checksVersions) return
    test('joins nothing of a part that was replaced meanwhile', async () => {
      const parts = [await put('a', bytesOf('head')), await put('b', new Uint8Array(11 * MIB))]
      const replace = async () => {
        await store.delete(`${root}/b`)
        await put('b', new Uint8Array(11 * MIB).fill(1))
      }
      const join = links.join(parts, `${root}/whole`, { signal, confirm: replace })
      expect((await refusal(join)).code).toBe('data-file-changed')
      expect(await store.find(`${root}/whole`)).toBeUndefined()
    })
  })
}
