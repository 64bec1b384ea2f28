import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'

const SIZE_BYTES = 16 * 1024 * 1024
/** Each holds a connection to the store: its object is longer than what buffers on the way take. */
const READERS = 300
const ABOUT = {
  ...{ ETag: '"e"', 'Last-Modified': 'Fri, 02 Jan 2026 03:04:05 GMT', 'x-goog-generation': '1' },
}

let server: Server

/** A store of one long object, for real ones would need to be filled. */
beforeEach(async () => {
  server = createServer((request, response) => {
    const [, from = 0, to = SIZE_BYTES - 1] = /(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? []
    const length = Number(to) - Number(from) + 1
    const range = { 'Content-Range': `bytes ${from}-${to}/${SIZE_BYTES}` }
    response.writeHead(206, { ...ABOUT, ...range, 'Content-Length': length })
    response.end(body.subarray(0, length))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

const body = Buffer.alloc(SIZE_BYTES)

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function open(scheme: string): BucketStore {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const common = {
    endpoint,
    writableRoots: [`${scheme}://lake/t`],
    readableRoots: [],
    openFile: openLocalFile,
  }
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' }
  return scheme === 'gs'
    ? openGcsStore({ ...common, readKeyFile: undefined, writeKeyFile: undefined })
    : openS3Store({
        ...{ ...common, region: undefined, forcePathStyle: true },
        ...{ readCredentials: keys, writeCredentials: keys },
      })
}

test.each(['gs', 's3'])('%s: readers who take nothing keep nobody from reading', async (scheme) => {
  const store = open(scheme)
  const location = `${scheme}://lake/t/a`
  const readers = Array.from({ length: READERS }, () => {
    return store.readStream(location, 0, SIZE_BYTES)[Symbol.asyncIterator]()
  })
  await Promise.all(readers.map((reader) => reader.next()))
  expect(await store.readRange(location, 0, 3)).toEqual(new Uint8Array(3))
  await Promise.all(readers.map((reader) => reader.return?.()))
  await store.close()
})
