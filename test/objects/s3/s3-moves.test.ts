import { randomUUID } from 'node:crypto'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { S3BucketClient } from '../../../src/objects/s3/s3-client.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { namesBelow } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront, type SeenRequest } from '../stores/faulty-front.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const MIB = 1024 * 1024
const LONG = new Uint8Array(25 * MIB).map((_, i) => (i * 31) % 251)

const isCopiedPart = ({ method, path }: SeenRequest) =>
  method === 'PUT' && path.includes('UploadPartCopy')
const isCompleting = ({ method, path }: SeenRequest) =>
  method === 'POST' && path.includes('uploadId=')

for (const name of ['weed', 'versitygw'] as const) {
  const why = whyNoStore(name)
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `long objects that are moved, on ${name}`, () => {
    let server: S3Server
    let front: FaultyFront
    let store: BucketStore
    let root: string
    beforeAll(async () => {
      server = await startS3(name)
    }, 60_000)
    afterAll(() => server.stop())
    beforeEach(async () => {
      front = await openFaultyFront(server.endpoint)
      root = `s3://${server.bucket}/${randomUUID()}`
      const { region, readCredentials, writeCredentials } = server
      store = openS3Store({
        ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint, region },
        ...{ forcePathStyle: true, readCredentials, writeCredentials },
        copyBytesMax: 10 * MIB,
        openFile: openLocalFile,
      })
      await store.putIfAbsent(`${root}/a b`, LONG)
      front.seen.length = 0
    })
    afterEach(async () => {
      await store.close()
      await front.close()
    })

    const requireMoved = async (to: string) => {
      const bytes = await store.read(to, { bytesMax: LONG.length })
      expect(Buffer.compare(bytes, LONG)).toBe(0)
      expect(await namesBelow(store, root)).toEqual([to])
    }

    test('they are copied in parts, one of which may fail for a moment', async () => {
      front.fail(isCopiedPart, { kind: 'answer', status: 503 }, { kind: 'lost-answer' })
      expect(await store.moveIfAbsent(`${root}/a b`, `${root}/c`)).toBe('moved')
      expect(front.seen.filter(isCopiedPart)).toHaveLength(5)
      await requireMoved(`${root}/c`)
    })

    test('a short one is copied in one request', async () => {
      await store.putIfAbsent(`${root}/short`, LONG.subarray(0, 10 * MIB))
      front.seen.length = 0
      expect(await store.moveIfAbsent(`${root}/short`, `${root}/d`)).toBe('moved')
      expect(front.seen.filter(({ method }) => method === 'PUT')).toHaveLength(1)
    })

    test('a move whose last answer is lost is known to be the own one', async () => {
      front.fail(isCompleting, { kind: 'lost-answer' })
      expect(await store.moveIfAbsent(`${root}/a b`, `${root}/c`)).toBe('moved')
      await requireMoved(`${root}/c`)
    })

    test('what another put there meanwhile stays, and so does the source', async () => {
      await store.putIfAbsent(`${root}/c`, new Uint8Array(1))
      // As if the other had come between the look and the copy.
      const isLook = ({ method, path }: SeenRequest) => method === 'HEAD' && /\/c(\?|$)/.test(path)
      front.fail(isLook, { kind: 'answer', status: 404 })
      expect(await store.moveIfAbsent(`${root}/a b`, `${root}/c`)).toBe('already-exists')
      expect(await namesBelow(store, root)).toEqual([`${root}/a b`, `${root}/c`])
      expect(await store.find(`${root}/c`)).toMatchObject({ sizeBytes: 1 })
      const until = { beforeMs: Date.now() + 60_000, signal: new AbortController().signal }
      expect(await store.deleteUnfinished(root, until)).toBe(0)
    })

    test('only the version that was looked at is copied', async () => {
      const { endpoint, region, readCredentials, writeCredentials } = server
      const client = new S3BucketClient({
        ...{ endpoint, region, forcePathStyle: true, readCredentials, writeCredentials },
      })
      const placeOf = (key: string) => ({
        bucket: server.bucket,
        key: `${root.split('/').at(-1)}/${key}`,
      })
      const [from, to, mark] = [placeOf('a b'), placeOf('c'), 'm']
      const version = '"0123456789abcdef0123456789abcdef"'
      const { signal } = new AbortController()
      const long = { mark, version, sizeBytes: LONG.length, partBytesMax: 10 * MIB }
      const faults = [
        await client.copy(from, to, { mark, version, signal }).catch((e) => client.explain(e)),
        // seaweedfs does not look at this condition where parts are copied.
        name === 'weed'
          ? 'precondition'
          : await client.copyLong(from, to, long).catch((e) => client.explain(e)),
      ]
      expect(faults).toEqual(['precondition', 'precondition'])
      expect(await namesBelow(store, root)).toEqual([`${root}/a b`])
      client.close()
    })
  })
}
