import { randomUUID } from 'node:crypto'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { refusal } from '../../refusal.ts'
import { describeBucketFaults } from '../bucket-faults.contract.ts'
import { bytesOf, chunksOf, namesBelow } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront, type SeenRequest } from '../stores/faulty-front.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

const isPut = ({ method }: SeenRequest) => method === 'PUT'
const isGet = ({ method }: SeenRequest) => method === 'GET'

const xml = (status: number, code: string) => {
  return { status, body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>` }
}

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

  type Options = Partial<Pick<S3Server, 'readCredentials' | 'writeCredentials'>> & {
    readonly uploadStallMs?: number
  }
  const open = (options?: Options) => openAt(root, front.endpoint, options)

  function openAt(folder: string, endpoint: string, options: Options = {}) {
    const { region, readCredentials, writeCredentials } = server
    return openS3Store({
      ...{ writableRoots: [folder], readableRoots: [], endpoint, region },
      ...{ forcePathStyle: true, readCredentials, writeCredentials, ...options },
      openFile: openLocalFile,
    })
  }

  describeBucketFaults('S3', () => ({
    endpoint: server.endpoint,
    newRoot: () => `s3://${server.bucket}/${randomUUID()}`,
    open: (folder, endpoint, options) => openAt(folder, endpoint, options),
    makesBuckets: true,
    refusals: {
      'rights-missing': xml(403, 'AccessDenied'),
      'credentials-refused': xml(403, 'InvalidAccessKeyId'),
      'clock-skewed': xml(403, 'RequestTimeTooSkewed'),
      'bucket-missing': xml(404, 'NoSuchBucket'),
      'not-supported': xml(501, 'NotImplemented'),
    },
    is: { put: isPut, get: isGet },
  }))

  test('a stream in parts whose last answer is lost is known to be the own one', async () => {
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

  const isCompleting = ({ method, path }: SeenRequest) =>
    method === 'POST' && path.includes('uploadId=')
  const long = new Uint8Array(17 * 1024 * 1024).fill(7)

  test('an upload that is no more was completed, if the object has its mark', async () => {
    const gone = { kind: 'answer', ...xml(404, 'NoSuchUpload') } as const
    front.fail(isCompleting, { kind: 'lost-answer' }, gone)
    expect(await store.putIfAbsent(`${root}/long`, long)).toBe('written')
    front.fail(isCompleting, gone)
    expect(await store.putIfAbsent(`${root}/long`, long)).toBe('already-exists')
    front.fail(isCompleting, gone)
    const lost = await refusal(store.putIfAbsent(`${root}/none`, long))
    expect(lost.code).toBe('storage-unavailable')
    expect(await namesBelow(store, root)).toEqual([`${root}/long`])
  })

  test('a header that the store does not know is named, once, and ends nothing else', async () => {
    await store.putIfAbsent(`${root}/a`, bytesOf('abc'))
    const body =
      '<Error><Code>NotImplemented</Code><Message>no</Message><Header>If-Match</Header></Error>'
    const isDelete = ({ method }: SeenRequest) => method === 'DELETE'
    const version = (await store.find(`${root}/a`))?.version ?? ''
    for (let i = 1; i <= 15; i++) {
      front.fail(isDelete, { kind: 'answer', status: 501, body })
      const { code, message } = await refusal(store.delete(`${root}/a`, { version }))
      expect([code, front.seen.filter(isDelete).length]).toEqual(['storage-misconfigured', i])
      expect(message).toContain('does not know If-Match.')
    }
    // The circuit is closed.
    expect(await store.putIfAbsent(`${root}/b`, bytesOf('b'))).toBe('written')
  })

  test('an upload that ends while it is given up is no failure', async () => {
    const isAbort = ({ method, path }: SeenRequest) =>
      method === 'DELETE' && path.includes('uploadId=')
    front.fail(isCompleting, { kind: 'answer', status: 400 })
    front.fail(isAbort, { kind: 'answer', status: 400 })
    await expect(store.putIfAbsent(`${root}/long`, long)).rejects.toThrow()
    front.fail(isAbort, { kind: 'answer', ...xml(404, 'NoSuchUpload') })
    const until = { beforeMs: Date.now() + 60_000, signal: new AbortController().signal }
    const seen = front.seen.filter(isAbort).length
    expect(await store.deleteUnfinished(root, until)).toBe(1)
    expect(front.seen.filter(isAbort).length).toBe(seen + 1)
  })

  test('a move that another came before leaves its source where it is', async () => {
    for (const name of ['a', 'b']) await store.putIfAbsent(`${root}/${name}`, bytesOf(name))
    // As if the other had come between the look and the copy.
    const isLook = ({ method, path }: SeenRequest) => method === 'HEAD' && /\/b(\?|$)/.test(path)
    front.fail(isLook, { kind: 'answer', status: 404 })
    front.fail(isPut, { kind: 'answer', status: 412 })
    expect(await store.moveIfAbsent(`${root}/a`, `${root}/b`)).toBe('already-exists')
    expect(await namesBelow(store, root)).toEqual([`${root}/a`, `${root}/b`])
  })

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
    const sweep = { beforeMs: Date.now() + 60_000, signal: new AbortController().signal }
    front.fail(isCompleting, { kind: 'answer', status: 400 })
    front.fail(({ method }) => method === 'DELETE', { kind: 'answer', status: 400 })
    await expect(store.putIfAbsent(`${root}/long`, long)).rejects.toThrow()
    expect(await store.deleteUnfinished(root, sweep)).toBe(1)
    const keysOf = (methods: readonly string[]) =>
      new Set(front.seen.filter(({ method }) => methods.includes(method)).map((s) => s.accessKey))
    expect(keysOf(['GET', 'HEAD'])).toEqual(new Set([reader]))
    expect(keysOf(['PUT', 'POST', 'DELETE'])).toEqual(new Set([writer]))
  })

  test('a token that has expired, and another region, are told by every request', async () => {
    for (const [status, code, fault] of [
      [400, 'ExpiredToken', 'credentials-refused'],
      [301, 'PermanentRedirect', 'bucket-missing'],
    ] as const) {
      front.failAll({ kind: 'answer', ...xml(status, code) })
      const refused = await refusal(store.find(`${root}/a`))
      expect([refused.code, refused.facts['fault']]).toEqual(['storage-misconfigured', fault])
    }
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
