import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { namesBelow } from '../object-store.contract.ts'

/** Real stores have pages of a thousand, and take long to be filled: these are canned answers. */
const PAGES: readonly (readonly string[])[] = [['t/a', 't/b'], [], ['t/c']]
const AT = '2026-01-02T03:04:05.000Z'

/** Answers each list with the page that is asked for, and what is asked is told. */
async function serve(answer: (page: number) => string, tokenOf: (url: URL) => string | null) {
  const asked: number[] = []
  const server: Server = createServer((request, response) => {
    const page = Number(tokenOf(new URL(request.url ?? '/', 'http://x')) ?? 0)
    asked.push(page)
    response.setHeader('Content-Type', 'application/json')
    response.end(answer(page))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { close, asked, endpoint }
}

function isLast(page: number): boolean {
  return page === PAGES.length - 1
}

function inXml(page: number): string {
  const contents = (PAGES[page] ?? []).map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>${AT}</LastModified><ETag>"e"</ETag>` +
      '<Size>1</Size></Contents>',
  )
  const next = isLast(page) ? '' : `<NextContinuationToken>${page + 1}</NextContinuationToken>`
  const isTruncated = `<IsTruncated>${!isLast(page)}</IsTruncated>`
  return `<ListBucketResult>${isTruncated}${next}${contents.join('')}</ListBucketResult>`
}

function inJson(page: number): string {
  const items = (PAGES[page] ?? []).map((name) => {
    return { name, bucket: 'lake', size: '1', generation: '1', timeCreated: AT, updated: AT }
  })
  return JSON.stringify({ items, ...(!isLast(page) && { nextPageToken: String(page + 1) }) })
}

function openS3(endpoint: string) {
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' }
  return openS3Store({
    ...{
      writableRoots: ['s3://lake/t'],
      readableRoots: [],
      openFile: openLocalFile,
      forcePathStyle: true,
    },
    ...{ endpoint, region: undefined, readCredentials: keys, writeCredentials: keys },
  })
}

test('a list of S3 goes through all pages, also through one that is empty', async () => {
  const served = await serve(inXml, (url) => url.searchParams.get('continuation-token'))
  const store = openS3(served.endpoint)
  const found = await namesBelow(store, 's3://lake/t')
  expect(found).toEqual(['s3://lake/t/a', 's3://lake/t/b', 's3://lake/t/c'])
  expect(served.asked).toEqual([0, 1, 2])
  await store.close()
  served.close()
})

function uploadsInXml(page: number): string {
  const uploads = (PAGES[page] ?? []).map((key) => {
    const initiated = key === 't/b' ? '2026-03-01T00:00:00.000Z' : AT
    return (
      `<Upload><Key>${key}</Key><UploadId>u</UploadId>` +
      `<Initiated>${initiated}</Initiated></Upload>`
    )
  })
  const next = '<NextUploadIdMarker>u</NextUploadIdMarker>'
  const end = isLast(page) ? '' : `<NextKeyMarker>${page + 1}</NextKeyMarker>${next}`
  const isTruncated = `<IsTruncated>${!isLast(page)}</IsTruncated>`
  return (
    `<ListMultipartUploadsResult>${isTruncated}${end}${uploads.join('')}` +
    '</ListMultipartUploadsResult>'
  )
}

test('the old uploads of S3 are given up on all pages, and no young ones', async () => {
  const givenUp: (string | undefined)[] = []
  const served = await serve(uploadsInXml, (url) => {
    if (url.searchParams.has('uploadId')) givenUp.push(url.pathname)
    return url.searchParams.get('key-marker')
  })
  const store = openS3(served.endpoint)
  const beforeMs = Date.parse('2026-02-01T00:00:00.000Z')
  const { signal } = new AbortController()
  expect(await store.deleteUnfinished('s3://lake/t', { beforeMs, signal })).toBe(2)
  expect(givenUp).toEqual(['/lake/t/a', '/lake/t/c'])
  await store.close()
  served.close()
})

test('pages of uploads that come again and again have an end', async () => {
  const served = await serve(
    () =>
      '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>' +
      '<NextKeyMarker>t/a</NextKeyMarker></ListMultipartUploadsResult>',
    () => null,
  )
  const store = openS3(served.endpoint)
  const { signal } = new AbortController()
  expect(await store.deleteUnfinished('s3://lake/t', { beforeMs: 0, signal })).toBe(0)
  expect(served.asked).toHaveLength(2)
  await store.close()
  served.close()
})

test('and so does one of Google Cloud Storage', async () => {
  const served = await serve(inJson, (url) => url.searchParams.get('pageToken'))
  const store = openGcsStore({
    ...{ writableRoots: ['gs://lake/t'], readableRoots: [], openFile: openLocalFile },
    ...{ endpoint: served.endpoint, readKeyFile: undefined, writeKeyFile: undefined },
  })
  const found = await namesBelow(store, 'gs://lake/t')
  expect(found).toEqual(['gs://lake/t/a', 'gs://lake/t/b', 'gs://lake/t/c'])
  expect(served.asked).toEqual([0, 1, 2])
  await store.close()
  served.close()
})
