import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OpenFile } from '../../../src/core/open-file.ts'
import { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { S3BucketClient } from '../../../src/objects/s3/s3-client.ts'
import { openS3Store, S3_LOCATIONS } from '../../../src/objects/s3/s3-store.ts'
import { chunksOf } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront } from '../stores/faulty-front.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const MIB = 1024 * 1024
const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'files that are put into S3', () => {
  let server: S3Server
  let front: FaultyFront
  let folder: string
  beforeAll(async () => {
    server = await startS3('weed')
    front = await openFaultyFront(server.endpoint)
    folder = await mkdtemp(join(tmpdir(), 'moraine-files-'))
  }, 60_000)
  afterAll(async () => {
    await front.close()
    await server.stop()
    await rm(folder, { recursive: true })
  })

  function open(openFile: (path: string) => Promise<OpenFile>) {
    const { region, readCredentials, writeCredentials } = server
    const root = `s3://${server.bucket}/${randomUUID()}`
    const store = openS3Store({
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint, region, openFile },
      ...{ forcePathStyle: true, readCredentials, writeCredentials },
    })
    return { store, root }
  }

  test('four at once, in all stores together, and a failure gives its place back', async () => {
    const path = join(folder, 'long')
    await writeFile(path, new Uint8Array(9 * MIB).fill(7))
    let opened = 0
    let most = 0
    const counting = async (name: string): Promise<OpenFile> => {
      const file = await openLocalFile(name)
      opened += 1
      most = Math.max(most, opened)
      return {
        ...{ sizeBytes: file.sizeBytes, chunks: () => file.chunks() },
        close: async () => {
          opened -= 1
          await file.close()
        },
      }
    }
    const stores = [open(counting), open(counting)]
    const puts = stores.flatMap(({ store, root }) => [
      ...Array.from({ length: 6 }, (_, i) => store.putFileIfAbsent(`${root}/${i}`, path)),
      store.putFileIfAbsent(`${root}/missing`, join(folder, 'none')),
    ])
    const outcomes = await Promise.allSettled(puts)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(12)
    expect([most, opened]).toEqual([4, 0])
    // Small ones wait for none of them.
    for (const { store, root } of stores) {
      await store.putStreamIfAbsent(`${root}/small`, chunksOf('x'), { bytesMax: 9 })
      expect((await store.find(`${root}/5`))?.sizeBytes).toBe(9 * MIB)
      await store.close()
    }
  }, 60_000)

  test('a stream of unknown size ends at what fits into all parts', async () => {
    const { region, readCredentials, writeCredentials } = server
    const { endpoint } = front
    const root = `s3://${server.bucket}/${randomUUID()}`
    const place = { endpoint, region, forcePathStyle: true, readCredentials, writeCredentials }
    const store = new BucketStore({
      client: Object.assign(new S3BucketClient(place), { streamBytesMax: 3 }),
      ...{ locations: S3_LOCATIONS, writableRoots: [root], readableRoots: [] },
      openFile: openLocalFile,
    })
    const put = (limits: { bytesMax: number; sizeBytes?: number }) =>
      store.putStreamIfAbsent(`${root}/a`, chunksOf('long'), limits)
    await expect(put({ bytesMax: 9 })).rejects.toMatchObject({ code: 'body-too-large' })
    expect(await store.find(`${root}/a`)).toBeUndefined()
    expect(await put({ bytesMax: 4, sizeBytes: 4 })).toEqual({ outcome: 'written', sizeBytes: 4 })
    await store.close()
  })

  // 10,000 parts are the most that S3 takes.
  test.each([
    { sizeBytes: 30 * MIB, parts: 4 },
    { sizeBytes: 150_000_000_000, parts: 3 },
  ])('$parts parts of what is said to have $sizeBytes bytes', async ({ sizeBytes, parts }) => {
    async function* chunks() {
      for (let i = 0; i < 30; i++) yield new Uint8Array(MIB).fill(i)
    }
    const { store, root } = open(async () => ({ sizeBytes, chunks, close: async () => undefined }))
    const before = front.seen.length
    expect(await store.putFileIfAbsent(`${root}/a`, 'a')).toBe('written')
    const sent = front.seen.slice(before).filter(({ method }) => method === 'PUT')
    expect(sent).toHaveLength(parts)
    expect((await store.find(`${root}/a`))?.sizeBytes).toBe(30 * MIB)
    await store.close()
  })
})
