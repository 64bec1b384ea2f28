import type { BucketStore } from '../../src/objects/bucket/bucket-store.ts'
import { refusal } from '../refusal.ts'
import { bytesOf, chunksOf, namesBelow, textOf } from './object-store.contract.ts'
import { type FaultyFront, openFaultyFront, type SeenRequest } from './stores/faulty-front.ts'

const BUSY = { kind: 'answer', status: 503 } as const

export interface FailingStore {
  /** Address of the real one. */
  readonly endpoint: string
  /** A folder for this test alone, in which the opened store may write. */
  newRoot(): string
  open(root: string, endpoint: string, options?: { readonly uploadStallMs: number }): BucketStore
  /** Requests that create an object, and those that read its bytes. */
  readonly is: { put(seen: SeenRequest): boolean; get(seen: SeenRequest): boolean }
  /** Answers that mean a fault of the settings, as the store itself words them. */
  readonly refusals: Readonly<Record<string, { readonly status: number; readonly body: string }>>
  /** Whether it makes a bucket for who writes to it. */
  readonly makesBuckets: boolean
}

/** What every store of buckets does when the network between fails. */
export function describeBucketFaults(name: string, start: () => FailingStore): void {
  describe(`${name}, when the network fails`, () => {
    let front: FaultyFront
    let store: BucketStore
    let root: string
    let open: FailingStore['open']
    let is: FailingStore['is']
    let refusals: FailingStore['refusals']
    let makesBuckets: boolean
    beforeEach(async () => {
      const failing = start()
      is = failing.is
      open = failing.open
      refusals = failing.refusals
      makesBuckets = failing.makesBuckets
      front = await openFaultyFront(failing.endpoint)
      root = failing.newRoot()
      store = failing.open(root, front.endpoint)
    })
    afterEach(async () => {
      await store.close()
      await front.close()
    })

    test('a write whose answer is lost is known to be the own one', async () => {
      front.fail(is.put, { kind: 'lost-answer' })
      expect(await store.putIfAbsent(`${root}/a`, bytesOf('mine'))).toBe('written')
      expect(front.seen.filter(is.put)).toHaveLength(2)
      front.fail(is.put, { kind: 'lost-answer' })
      expect(await store.putIfAbsent(`${root}/a`, bytesOf('other'))).toBe('already-exists')
      expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('mine')
    })

    test('a store that is busy for a moment is asked again', async () => {
      front.fail(is.put, BUSY, BUSY)
      expect(await store.putIfAbsent(`${root}/a`, bytesOf('abc'))).toBe('written')
      front.fail(is.get, BUSY, { kind: 'answer', status: 429 })
      expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('abc')
    })

    test('a read that is cut goes on where it was, and never gives a byte twice', async () => {
      const bytes = new Uint8Array(600_000).map((_, i) => (i * 31) % 251)
      await store.putIfAbsent(`${root}/cut`, bytes)
      front.fail(is.get, { kind: 'cut', afterBytes: 100_000 }, { kind: 'cut', afterBytes: 1 })
      const parts: Uint8Array[] = []
      for await (const chunk of store.readStream(`${root}/cut`, 10, 599_000)) parts.push(chunk)
      expect(Buffer.concat(parts).equals(bytes.subarray(10, 599_010))).toBe(true)
      expect(front.seen.filter(is.get)).toHaveLength(3)
      front.fail(is.get, { kind: 'cut', afterBytes: 70_000 })
      const whole = await store.read(`${root}/cut`, { bytesMax: bytes.length })
      expect(Buffer.from(whole).equals(bytes)).toBe(true)
    })

    test('what arrives damaged of a whole object is told, and the next read is right', async () => {
      await store.putIfAbsent(`${root}/a`, bytesOf('abc'))
      const ways = [
        async () => textOf(await store.read(`${root}/a`, { bytesMax: 9 })),
        async () => {
          const parts: Uint8Array[] = []
          const whole = store.readStream(`${root}/a`, 0, 3, { isWhole: true })
          for await (const chunk of whole) parts.push(chunk)
          return textOf(Buffer.concat(parts))
        },
      ]
      for (const read of ways) {
        front.fail(is.get, { kind: 'damaged' })
        const { code, message } = await refusal(read())
        expect(code).toBe('storage-unavailable')
        expect(message).toContain('checksum')
        expect(await read()).toBe('abc')
      }
      // Whoever expects the whole and gets more has another object.
      const part = store.readStream(`${root}/a`, 0, 2, { isWhole: true })[Symbol.asyncIterator]()
      expect((await refusal(part.next())).code).toBe('data-file-changed')
    })

    test('an object that is replaced between two parts of a read is told, not joined', async () => {
      await store.putIfAbsent(`${root}/cut`, new Uint8Array(400_000).fill(1))
      front.fail(is.get, { kind: 'cut', afterBytes: 65_536 })
      const read = async () => {
        let isReplaced = false
        for await (const _ of store.readStream(`${root}/cut`, 0, 400_000)) {
          if (isReplaced) continue
          isReplaced = true
          await store.delete(`${root}/cut`)
          await store.putIfAbsent(`${root}/cut`, new Uint8Array(400_000).fill(2))
        }
      }
      expect((await refusal(read())).code).toBe('data-file-changed')
    })

    test('what the settings have wrong is one problem each, which says what to do', async () => {
      for (const [fault, answer] of Object.entries(refusals)) {
        front.failAll({ kind: 'answer', ...answer })
        const refused = [
          await refusal(store.read(`${root}/a`, { bytesMax: 9 })),
          await refusal(store.putIfAbsent(`${root}/a`, bytesOf('x'))),
        ]
        // HEAD has answers without a body: they hide no more than that a bucket is missing.
        if (fault !== 'bucket-missing') refused.push(await refusal(store.find(`${root}/a`)))
        for (const { code, facts } of refused) {
          expect([code, facts['fault']]).toEqual(['storage-misconfigured', fault])
        }
      }
      const asked = front.seen.length
      await refusal(store.read(`${root}/a`, { bytesMax: 9 }))
      // Asking again would change nothing.
      expect(front.seen.length).toBe(asked + 1)
    })

    test('a bucket that is not there is told by a listing, and by a write', async () => {
      const elsewhere = root.replace(/\/\/[^/]+/, '//no-such-bucket-of-tests')
      const other = open(elsewhere, front.endpoint)
      const asked = [refusal(namesBelow(other, elsewhere))]
      if (!makesBuckets) asked.push(refusal(other.putIfAbsent(`${elsewhere}/a`, bytesOf('x'))))
      for (const { code, facts } of await Promise.all(asked)) {
        expect([code, facts['fault']]).toEqual(['storage-misconfigured', 'bucket-missing'])
      }
      await other.close()
    })

    test('an upload that nobody answers ends in time, and the next one is taken', async () => {
      const hasty = open(root, front.endpoint, { uploadStallMs: 500 })
      const text = 'x'.repeat(9_000_000)
      front.failAll({ kind: 'silence' })
      const put = (to: BucketStore, name: string) =>
        to.putStreamIfAbsent(`${root}/${name}`, chunksOf(text), { bytesMax: 9_000_000 })
      expect((await refusal(put(hasty, 'silent'))).code).toBe('storage-unavailable')
      front.failAll(undefined)
      expect((await put(store, 'heard')).outcome).toBe('written')
      await hasty.close()
    })

    test('a store that is away is left alone, and comes back without a restart', async () => {
      await store.putIfAbsent(`${root}/a`, bytesOf('abc'))
      front.failAll(BUSY)
      const asked = front.seen.length
      const attempts = Array.from({ length: 40 }, () => refusal(store.find(`${root}/a`)))
      const codes = (await Promise.all(attempts)).map(({ code }) => code)
      expect(new Set(codes)).toEqual(new Set(['storage-unavailable']))
      // Without a circuit, 200 requests.
      expect(front.seen.length - asked).toBeLessThan(100)
      const refused = front.seen.length
      expect((await refusal(store.find(`${root}/a`))).facts).toMatchObject({ retryAfterSeconds: 5 })
      expect(front.seen.length - refused).toBeLessThanOrEqual(1)
      // Nor does what is long begin.
      const long = new Uint8Array(9_000_000)
      const before = front.seen.length
      const put = await refusal(store.putIfAbsent(`${root}/long`, long))
      expect([put.code, front.seen.length]).toEqual(['storage-unavailable', before])
      front.failAll(undefined)
      await new Promise((resolve) => setTimeout(resolve, 5_100))
      // What is long is not refused until somebody asks for something short.
      expect(await store.putIfAbsent(`${root}/long`, long)).toBe('written')
      expect(await store.find(`${root}/a`)).toMatchObject({ sizeBytes: 3 })
    }, 60_000)
  })
}
