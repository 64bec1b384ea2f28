import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, textOf } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront } from '../stores/faulty-front.ts'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

const BUSY = { kind: 'answer', status: 503 } as const
const isUpload = ({ method, path }: { method: string; path: string }) =>
  method === 'POST' && path.startsWith('/upload/')
const isDownload = ({ method, path }: { method: string; path: string }) =>
  method === 'GET' && path.includes('alt=media')

describeHere(why ?? 'Google Cloud Storage that fails', () => {
  let server: FakeGcsServer
  let front: FaultyFront
  let store: BucketStore
  let root: string
  beforeAll(async () => {
    server = await startFakeGcs()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(async () => {
    front = await openFaultyFront(server.endpoint)
    root = `gs://${server.bucket}/${randomUUID()}`
    store = openGcsStore({
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint },
      ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
      readFile: (path) => createReadStream(path),
    })
  })
  afterEach(async () => {
    await store.close()
    await front.close()
  })

  test('a write whose answer is lost is known to be the own one', async () => {
    front.fail(isUpload, { kind: 'lost-answer' })
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('mine'))).toBe('written')
    expect(front.seen.filter(isUpload)).toHaveLength(2)
    front.fail(isUpload, { kind: 'lost-answer' })
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('other'))).toBe('already-exists')
    expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('mine')
  })

  test('a store that is busy for a moment is asked again', async () => {
    front.fail(isUpload, BUSY, BUSY)
    expect(await store.putIfAbsent(`${root}/a`, bytesOf('abc'))).toBe('written')
    front.fail(isDownload, BUSY, { kind: 'answer', status: 429 })
    expect(textOf(await store.read(`${root}/a`, { bytesMax: 9 }))).toBe('abc')
  })

  test('a read that is cut goes on where it was, and never gives a byte twice', async () => {
    const bytes = new Uint8Array(600_000).map((_, i) => (i * 31) % 251)
    await store.putIfAbsent(`${root}/cut`, bytes)
    front.fail(isDownload, { kind: 'cut', afterBytes: 100_000 }, { kind: 'cut', afterBytes: 1 })
    const parts: Uint8Array[] = []
    for await (const chunk of store.readStream(`${root}/cut`, 10, 599_000)) parts.push(chunk)
    expect(Buffer.concat(parts).equals(bytes.subarray(10, 599_010))).toBe(true)
    expect(front.seen.filter(isDownload)).toHaveLength(3)
    front.fail(isDownload, { kind: 'cut', afterBytes: 70_000 })
    const whole = await store.read(`${root}/cut`, { bytesMax: bytes.length })
    expect(Buffer.from(whole).equals(bytes)).toBe(true)
  })

  test('an object that is replaced between two parts of a read is told, not joined', async () => {
    await store.putIfAbsent(`${root}/cut`, new Uint8Array(400_000).fill(1))
    front.fail(isDownload, { kind: 'cut', afterBytes: 65_536 })
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
    const attempts = Array.from({ length: 40 }, () => refusal(store.find(`${root}/a`)))
    const codes = (await Promise.all(attempts)).map(({ code }) => code)
    expect(new Set(codes)).toEqual(new Set(['storage-unavailable']))
    front.failAll(undefined)
    await new Promise((resolve) => setTimeout(resolve, 5_100))
    expect(await store.find(`${root}/a`)).toMatchObject({ sizeBytes: 3 })
  }, 60_000)
})
