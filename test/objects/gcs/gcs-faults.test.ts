import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { GcsBucketClient } from '../../../src/objects/gcs/gcs-client.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { isReplaced } from '../../../src/objects/store-errors.ts'
import { until } from '../../lake/jobs/background.ts'
import { describeBucketFaults } from '../bucket-faults.contract.ts'
import { bytesOf } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront, type SeenRequest } from '../stores/faulty-front.ts'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

const json = (code: number, message: string) => {
  return { status: code, body: JSON.stringify({ error: { code, message } }) }
}

describeHere(why ?? 'fake-gcs-server', () => {
  let server: FakeGcsServer
  beforeAll(async () => {
    server = await startFakeGcs()
  }, 60_000)
  afterAll(() => server.stop())

  describeBucketFaults('Google Cloud Storage', () => ({
    endpoint: server.endpoint,
    newRoot: () => `gs://${server.bucket}/${randomUUID()}`,
    open: (root, endpoint, options) =>
      openGcsStore({
        ...options,
        ...{ writableRoots: [root], readableRoots: [], endpoint },
        ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
        openFile: openLocalFile,
      }),
    makesBuckets: false,
    refusals: {
      'rights-missing': json(403, 'moraine@example does not have storage.objects.get access'),
      'credentials-refused': json(401, 'Invalid Credentials'),
      'clock-skewed': json(400, 'invalid_grant: Invalid JWT: Token must be a short-lived token'),
      'bucket-missing': json(404, 'The specified bucket does not exist.'),
    },
    is: {
      put: ({ method, path }) => method === 'POST' && path.startsWith('/upload/'),
      get: ({ method, path }) => method === 'GET' && path.includes('alt=media'),
    },
  }))

  describe('a move', () => {
    let front: FaultyFront
    let root: string
    let store: BucketStore
    beforeEach(async () => {
      front = await openFaultyFront(server.endpoint)
      root = `gs://${server.bucket}/${randomUUID()}`
      store = openAt()
      await store.putIfAbsent(`${root}/a`, bytesOf('looked at'))
      front.seen.length = 0
    })
    afterEach(async () => {
      await store.close()
      await front.close()
    })
    const openAt = (options: { readonly copyBytesMax?: number } = {}) =>
      openGcsStore({
        ...{ ...options, writableRoots: [root], readableRoots: [], endpoint: front.endpoint },
        ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
        openFile: openLocalFile,
      })
    const isMove = ({ path }: SeenRequest) => path.includes('/moveTo/')
    const isCopy = ({ path }: SeenRequest) => /\/(rewriteTo|copyTo)\//.test(path)
    const writes = () => front.seen.filter(({ method }) => method !== 'GET')
    const unknown = { kind: 'answer', status: 404 } as const
    const textAt = async (name: string) => {
      return Buffer.from(await store.read(`${root}/${name}`, { bytesMax: 99 })).toString()
    }

    test('is one request, of the version looked at, that replaces nothing', async () => {
      expect(await store.moveIfAbsent(`${root}/a`, `${root}/b c/d`)).toBe('moved')
      expect(writes().map(({ path }) => path.replace(/=[1-9]\d+/, '=V'))).toEqual([
        expect.stringMatching(/\?ifGenerationMatch=0&ifSourceGenerationMatch=V$/),
      ])
      expect(await textAt('b c/d')).toBe('looked at')
      expect(await store.find(`${root}/a`)).toBeUndefined()
    })

    test('whose answer is lost is known to be the own one', async () => {
      front.fail(isMove, { kind: 'lost-answer' })
      expect(await store.moveIfAbsent(`${root}/a`, `${root}/b`)).toBe('moved')
      expect(front.seen.filter(isMove)).toHaveLength(2)
      expect(front.seen.filter(isCopy)).toEqual([])
      expect(await textAt('b')).toBe('looked at')
    })

    test('that another came before leaves its source where it is', async () => {
      const isLook = ({ method, path }: SeenRequest) => method === 'GET' && path.endsWith('b')
      await store.putIfAbsent(`${root}/b`, bytesOf('of another'))
      front.fail(isLook, unknown)
      expect(await store.moveIfAbsent(`${root}/a`, `${root}/b`)).toBe('already-exists')
      expect([await textAt('a'), await textAt('b')]).toEqual(['looked at', 'of another'])
    })

    test('is a copy where the store cannot, which replaces nothing either', async () => {
      for (const to of ['b', 'c']) {
        if (to === 'b') front.fail(isMove, unknown)
        else await store.putIfAbsent(`${root}/a`, bytesOf('looked at'))
        expect(await store.moveIfAbsent(`${root}/a`, `${root}/${to}`)).toBe('moved')
      }
      // It is not asked again.
      expect(front.seen.filter(isMove)).toHaveLength(1)
      const copies = front.seen.filter(isCopy)
      expect(copies).toHaveLength(2)
      for (const { path } of copies) expect(path).toMatch(/[?&]ifGenerationMatch=0(&|$)/)
    })

    test('to another bucket is a copy, and the next one within it is none', async () => {
      const other = openGcsStore({
        ...{ writableRoots: [root, 'gs://other'], readableRoots: [], endpoint: front.endpoint },
        ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
        openFile: openLocalFile,
      })
      await fetch(`${server.endpoint}/storage/v1/b?project=moraine`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'other' }),
      })
      expect(await other.moveIfAbsent(`${root}/a`, 'gs://other/a')).toBe('moved')
      await other.putIfAbsent(`${root}/b`, bytesOf('x'))
      expect(await other.moveIfAbsent(`${root}/b`, `${root}/c`)).toBe('moved')
      expect([isCopy, isMove].map((is) => front.seen.filter(is).length)).toEqual([1, 1])
      await other.close()
    })

    test('takes the version that it has looked at, and no other', async () => {
      const busy = { kind: 'answer', status: 503 } as const
      for (const [is, copyBytesMax] of [[isMove], [isCopy], [isCopy, 1]] as const) {
        const mover = openAt(copyBytesMax === undefined ? {} : { copyBytesMax })
        front.seen.length = 0
        if (is === isCopy) front.fail(isMove, unknown)
        front.fail(is, busy, busy)
        const moved = mover.moveIfAbsent(`${root}/a`, `${root}/b`).then(
          () => undefined,
          (error: unknown) => error,
        )
        await until(() => front.seen.some(is))
        await store.delete(`${root}/a`)
        await store.putIfAbsent(`${root}/a`, bytesOf('put since'))
        expect(isReplaced(await moved)).toBe(true)
        expect(await store.find(`${root}/b`)).toBeUndefined()
        expect(await textAt('a')).toBe('put since')
        await mover.close()
      }
    })
  })

  test('no request outlives its attempt', async () => {
    const open: IncomingMessage[] = []
    const silent = createServer((request) => open.push(request))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const client = new GcsBucketClient({
      endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
    })
    const [place, to] = ['a', 'b'].map((key) => ({ bucket: 'lake', key }))
    if (place === undefined || to === undefined) throw new Error('two places')
    const requests: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal) => client.head(place, { signal }),
      (signal) => client.get(place, { signal }),
      (signal) => client.list('lake', '', { signal }),
      (signal) => client.put(place, bytesOf('x'), { signal, mark: 'm' }),
      (signal) => client.copy(place, to, { signal, mark: 'm', version: '1' }),
      (signal) => client.move(place, to, { signal, version: '1' }),
      (signal) => client.delete(place, { signal }),
    ]
    for (const ask of requests) {
      const stop = new AbortController()
      const asked = ask(stop.signal)
      asked.catch(() => undefined)
      const [request] = (await once(silent, 'request')) as [IncomingMessage]
      const closed = once(request.socket, 'close')
      stop.abort(new Error('late'))
      await expect(asked).rejects.toThrow()
      await closed
    }
    expect(open).toHaveLength(requests.length)
    client.close()
    silent.close()
  })
})
