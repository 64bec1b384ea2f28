import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { BucketStore } from '../../../src/objects/bucket/bucket-store.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'

const WHOLE = Buffer.from('0123456789')
const STORED = gzipSync(WHOLE)
const ABOUT = {
  ...{ ETag: '"e"', 'Last-Modified': 'Fri, 02 Jan 2026 03:04:05 GMT', 'x-goog-generation': '1' },
}

let server: Server
/** Real stores keep to ranges: this one sends what the test says, whatever is asked. */
let answer: (asked: IncomingHttpHeaders) => { headers?: Record<string, string>; body: Buffer }
let opened: BucketStore[]

beforeEach(async () => {
  opened = []
  server = createServer((request, response) => {
    const { headers = {}, body } = answer(request.headers)
    const status = 'Content-Range' in headers ? 206 : 200
    response.writeHead(status, { ...ABOUT, 'Content-Length': body.byteLength, ...headers })
    response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  for (const store of opened) await store.close()
  server.closeAllConnections()
  server.close()
})

function open(scheme: 'gs' | 's3'): BucketStore {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const common = {
    endpoint,
    writableRoots: [`${scheme}://lake/t`],
    readableRoots: [],
    openFile: openLocalFile,
  }
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' }
  const store =
    scheme === 'gs'
      ? openGcsStore({ ...common, readKeyFile: undefined, writeKeyFile: undefined })
      : openS3Store({
          ...{ ...common, region: undefined, forcePathStyle: true },
          ...{ readCredentials: keys, writeCredentials: keys },
        })
  opened.push(store)
  return store
}

async function streamed(store: BucketStore, location: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.readStream(location, 4, 3)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

describe.each(['gs', 's3'] as const)('%s', (scheme) => {
  const location = `${scheme}://lake/t/a`

  test('the whole object in place of a range is not taken for the range', async () => {
    answer = () => ({ body: WHOLE })
    const store = open(scheme)
    await expect(streamed(store, location)).rejects.toThrow()
    await expect(store.readRange(location, 0, 4)).rejects.toThrow()
    await expect(store.readTail(location, 4)).rejects.toThrow()
  })

  test('nor is another range', async () => {
    answer = () => ({
      ...{ headers: { 'Content-Range': 'bytes 3-5/10' }, body: WHOLE.subarray(3, 6) },
    })
    await expect(streamed(open(scheme), location)).rejects.toThrow()
  })

  test('of an object that has no more, the whole is the range', async () => {
    answer = () => ({ body: WHOLE })
    const store = open(scheme)
    expect(Buffer.from(await store.readRange(location, 0, 10))).toEqual(WHOLE)
    expect(Buffer.from((await store.readTail(location, 99)).bytes)).toEqual(WHOLE)
    expect(Buffer.from(await store.read(location, { bytesMax: 10 }))).toEqual(WHOLE)
  })
})

test('Google Cloud Storage decompresses nothing: an object is what is kept', async () => {
  // As its page "Transcoding of gzip-compressed files" tells, also without a length.
  answer = ({ 'accept-encoding': accepted }) =>
    accepted === 'gzip'
      ? { headers: { 'Content-Encoding': 'gzip' }, body: STORED }
      : { headers: { Warning: '214 UploadServer gunzipped' }, body: WHOLE }
  const bytes = await open('gs').read('gs://lake/t/a', { bytesMax: 1_000 })
  expect(gunzipSync(bytes)).toEqual(WHOLE)
})
