import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { isReplaced } from '../../../src/objects/store-errors.ts'
import { until } from '../../lake/jobs/background.ts'
import { describeBucketFaults } from '../bucket-faults.contract.ts'
import { bytesOf } from '../object-store.contract.ts'
import { openFaultyFront, type SeenRequest } from '../stores/faulty-front.ts'
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
        readFile: (path) => createReadStream(path),
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

  test('a move asks the store to replace nothing, which an emulator would do', async () => {
    const front = await openFaultyFront(server.endpoint)
    const root = `gs://${server.bucket}/${randomUUID()}`
    const store = openGcsStore({
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint },
      ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
      readFile: (path) => createReadStream(path),
    })
    await store.putIfAbsent(`${root}/a`, bytesOf('x'))
    await store.moveIfAbsent(`${root}/a`, `${root}/b`)
    const copies = front.seen.filter(({ path }) => /\/(rewriteTo|copyTo)\//.test(path))
    expect(copies.length).toBeGreaterThan(0)
    for (const { path } of copies) expect(path).toMatch(/[?&]ifGenerationMatch=0(&|$)/)
    await store.close()
    await front.close()
  })

  test('a move takes the version that it has looked at, and no other', async () => {
    const front = await openFaultyFront(server.endpoint)
    const root = `gs://${server.bucket}/${randomUUID()}`
    const options = {
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint },
      ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
      readFile: (path: string) => createReadStream(path),
    }
    const store = openGcsStore(options)
    const isCopy = ({ path }: SeenRequest) => /\/(rewriteTo|copyTo)\//.test(path)
    for (const copyBytesMax of [undefined, 1]) {
      const other = openGcsStore({ ...options, ...(copyBytesMax && { copyBytesMax }) })
      await store.putIfAbsent(`${root}/a`, bytesOf('looked at'))
      front.seen.length = 0
      front.fail(isCopy, { kind: 'answer', status: 503 }, { kind: 'answer', status: 503 })
      const moved = other.moveIfAbsent(`${root}/a`, `${root}/b`).then(
        () => undefined,
        (error: unknown) => error,
      )
      await until(() => front.seen.some(isCopy))
      await store.delete(`${root}/a`)
      await store.putIfAbsent(`${root}/a`, bytesOf('put since'))
      expect(isReplaced(await moved)).toBe(true)
      expect(await store.find(`${root}/b`)).toBeUndefined()
      expect(Buffer.from(await store.read(`${root}/a`, { bytesMax: 99 })).toString()).toBe(
        'put since',
      )
      await store.delete(`${root}/a`)
      await other.close()
    }
    await store.close()
    await front.close()
  })
})
