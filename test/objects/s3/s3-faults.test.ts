import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, chunksOf, namesBelow, textOf } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront } from '../stores/faulty-front.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

const BUSY = { kind: 'answer', status: 503 } as const
const isPut = ({ method }: { method: string }) => method === 'PUT'
const isGet = ({ method }: { method: string }) => method === 'GET'

describeHere(why ?? 'S3 that fails', () => {
  let server: S3Server
  let front: FaultyFront
  let store: BucketStore
  let root: string
  beforeAll(async () => {
    server = await startS3('weed')
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(async () => {
    front = await openFaultyFront(server.endpoint)
    root = `s3://${server.bucket}/${randomUUID()}`
    store = open()
  })
  afterEach(async () => {
    await store.close()
    await front.close()
  })

  function open(credentials: Partial<Pick<S3Server, 'readCredentials' | 'writeCredentials'>> = {}) {
    const { region, readCredentials, writeCredentials } = server
    return openS3Store({
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint, region },
      ...{ forcePathStyle: true, readCredentials, writeCredentials, ...credentials },
      readFile: (path) => createReadStream(path),
    })
  }

  test('a write whose answer is lost is known to be the own one', async () => {
    front.fail(isPut, { kind: 'lost-answer' })
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('mine'))).toBe('written')
    expect(front.seen.filter(isPut)).toHaveLength(2)
    front.fail(isPut, { kind: 'lost-answer' })
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('other'))).toBe('already-exists')
    expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('mine')
  })

  test('the same for a stream in parts', async () => {
    front.fail(({ method, path }) => method === 'POST' && path.includes('uploadId='), {
      kind: 'lost-answer',
    })
    const long = new Uint8Array(17 * 1024 * 1024).fill(7)
    async function* chunks() {
      for (let i = 0; i < long.length; i += 1024 * 1024) yield long.subarray(i, i + 1024 * 1024)
    }
    const put = store.putStreamIfAbsent(`${root}/long`, chunks(), { bytesMax: long.length })
    expect(await put).toEqual({ outcome: 'written', sizeBytes: long.length })
    const again = store.putStreamIfAbsent(`${root}/long`, chunksOf('x'), { bytesMax: 9 })
    expect((await again).outcome).toBe('already-exists')
  })

  test('a store that is busy for a moment is asked again', async () => {
    front.fail(isPut, BUSY, BUSY)
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('abc'))).toBe('written')
    front.fail(isGet, BUSY, { kind: 'answer', status: 429 })
    expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('abc')
  })

  test('a read that is cut goes on where it was, and never gives a byte twice', async () => {
    const bytes = new Uint8Array(600_000).map((_, i) => (i * 31) % 251)
    await store.putIfAbsent(`${root}/cut`, bytes)
    front.fail(isGet, { kind: 'cut', afterBytes: 100_000 }, { kind: 'cut', afterBytes: 1 })
    const parts: Uint8Array[] = []
    for await (const chunk of store.readStream(`${root}/cut`, 10, 599_000)) parts.push(chunk)
    expect(Buffer.concat(parts).equals(bytes.subarray(10, 599_010))).toBe(true)
    expect(front.seen.filter(isGet)).toHaveLength(3)
    front.fail(isGet, { kind: 'cut', afterBytes: 70_000 })
    const whole = await store.read(`${root}/cut`, { bytesMax: bytes.length })
    expect(Buffer.from(whole).equals(bytes)).toBe(true)
  })

  test('an object that is replaced between two parts of a read is told, not joined', async () => {
    await store.putIfAbsent(`${root}/cut`, new Uint8Array(400_000).fill(1))
    front.fail(isGet, { kind: 'cut', afterBytes: 65_536 })
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
    front.failAll(undefined)
    await new Promise((resolve) => setTimeout(resolve, 5_100))
    expect(await store.find(`${root}/a`)).toMatchObject({ sizeBytes: 3 })
  }, 60_000)

  test('what reads uses the reading credential only, and what writes the other', async () => {
    const { accessKeyId: reader } = server.readCredentials
    const { accessKeyId: writer } = server.writeCredentials
    await store.putIfAbsent(`${root}/a`, bytesOf('abc'))
    await store.putIfAbsent(`${root}/a`, bytesOf('abc'))
    await store.putStreamIfAbsent(`${root}/b`, chunksOf('x'), { bytesMax: 9 })
    await store.read(`${root}/a`, { bytesMax: 9 })
    await store.readTail(`${root}/a`, 2)
    await store.find(`${root}/a`)
    await namesBelow(store, root)
    await store.moveIfAbsent(`${root}/a`, `${root}/c`)
    await store.delete(`${root}/c`)
    const keysOf = (methods: readonly string[]) =>
      new Set(front.seen.filter(({ method }) => methods.includes(method)).map((s) => s.accessKey))
    expect(keysOf(['GET', 'HEAD'])).toEqual(new Set([reader]))
    expect(keysOf(['PUT', 'POST', 'DELETE'])).toEqual(new Set([writer]))
  })

  test('rights and credentials that do not suffice are told apart', async () => {
    const weak = open({ writeCredentials: server.readCredentials })
    const wrong = { accessKeyId: 'nobody', secretAccessKey: 'nothing' }
    const unknown = open({ readCredentials: wrong })
    const put = await refusal(weak.putIfAbsent(`${root}/a`, bytesOf('x')))
    expect([put.code, put.facts['fault']]).toEqual(['storage-misconfigured', 'rights-missing'])
    const got = await refusal(unknown.read(`${root}/a`, { bytesMax: 9 }))
    expect([got.code, got.facts['fault']]).toEqual(['storage-misconfigured', 'credentials-refused'])
    await Promise.all([weak.close(), unknown.close()])
  })
})
