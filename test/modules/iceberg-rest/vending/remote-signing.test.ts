import type { TestService } from '../../../http/harness.ts'
import { whyNoStore } from '../../../objects/stores/store-program.ts'
import { type Json, must, refusal, rest } from '../http/rest-client.ts'
import {
  createTable,
  type EngineStore,
  loadTable,
  openEngineStore,
  placeOf,
  SIGNING,
  VENDED,
} from './engine-store.ts'

interface Wanted {
  readonly method?: string
  readonly uri: string
  readonly headers?: Record<string, string[]>
  readonly body?: string
}

for (const name of ['weed', 'versitygw'] as const) {
  const why = whyNoStore(name)
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `requests signed for engines, on ${name}`, () => {
    let store: EngineStore
    let service: TestService
    let folder: string
    let bucket: string
    beforeAll(async () => {
      store = await openEngineStore(name)
      service = await store.start()
      const { metadata } = await createTable(service, 't')
      const { Bucket, Key } = placeOf(metadata.location)
      folder = `${store.server.endpoint}/${Bucket}/${Key}`
      bucket = `${store.server.endpoint}/${Bucket}`
    }, 60_000)
    afterAll(() => store.stop())

    const sign = ({ method = 'GET', headers = {}, ...more }: Wanted) =>
      rest(service, '/namespaces/sky/tables/t/sign', {
        json: { method, region: 'us-east-1', headers, ...more },
      })

    /** Sends the request as an engine does: with its headers, and those of the signature. */
    async function send(wanted: Wanted, body?: string): Promise<Response> {
      const signed: Json = await must(sign(wanted))
      const headers = new Headers()
      for (const given of [wanted.headers ?? {}, signed.headers]) {
        for (const [key, values] of Object.entries(given as Record<string, string[]>)) {
          headers.set(key, values.join(', '))
        }
      }
      const method = wanted.method ?? 'GET'
      const sent = body ?? wanted.body
      return fetch(signed.uri, { method, headers, ...(sent !== undefined && { body: sent }) })
    }

    test('a load tells whoever asks for it where requests are signed', async () => {
      const { body, headers } = await loadTable(service, 't', SIGNING)
      const path = 'v1/namespaces/sky/tables/t/sign'
      expect(body.config).toMatchObject({
        's3.remote-signing-enabled': 'true',
        's3.signer': 'S3V4RestSigner',
        's3.signer.endpoint': path,
        'signer.endpoint': path,
        's3.endpoint': store.server.endpoint,
      })
      expect(body).not.toHaveProperty('storage-credentials')
      const tag = headers.get('etag') ?? ''
      const known = { 'If-None-Match': tag }
      expect((await loadTable(service, 't', { ...known, ...SIGNING })).status).toBe(304)
      expect((await loadTable(service, 't', known)).status).toBe(200)
      const both = await loadTable(service, 't', {
        'X-Iceberg-Access-Delegation': `${Object.values(VENDED)},${Object.values(SIGNING)}`,
      })
      expect(both.body.config).toMatchObject({ 's3.signer.endpoint': path })
      const { endpoints } = await must(rest(service, '/config'))
      expect(endpoints).toContain('POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign')
    })

    test('an object is written, read, listed and deleted', async () => {
      const uri = `${folder}/data/day=2026-11-28/a%20b%2B%C3%A9%27%28.parquet`
      const type = { 'Content-Type': ['application/octet-stream'] }
      const put = { method: 'PUT', uri: `${uri}?x-id=PutObject`, headers: type }
      expect((await send(put, 'twelve bytes')).status).toBe(200)
      const range = { uri, headers: { Range: ['bytes=0-5'] } }
      const part = await send(range)
      expect([part.status, await part.text()]).toEqual([206, 'twelve'])
      expect((await send({ method: 'HEAD', uri })).headers.get('content-length')).toBe('12')
      const { Key } = placeOf(`s3://${folder.split('//')[1]?.split('/').slice(1).join('/')}`)
      const list = `${bucket}?list-type=2&max-keys=5&prefix=${encodeURIComponent(`${Key}/data/`)}`
      const listed = await send({ uri: list })
      expect([listed.status, await listed.text()]).toEqual([200, expect.stringContaining('<Key>')])
      expect((await send({ method: 'DELETE', uri })).status).toBe(204)
      expect((await send({ method: 'HEAD', uri })).status).toBe(404)
    })

    test('an upload in parts, and a copy within the table', async () => {
      const uri = `${folder}/data/parts.bin`
      const begun = await (await send({ method: 'POST', uri: `${uri}?uploads` })).text()
      const id = encodeURIComponent(/<UploadId>([^<]+)</.exec(begun)?.[1] ?? '')
      const part = { method: 'PUT', uri: `${uri}?partNumber=1&uploadId=${id}` }
      const tag = (await send(part, 'a part')).headers.get('etag')
      const inner = `<Part><PartNumber>1</PartNumber><ETag>${tag}</ETag></Part>`
      const xml = `<CompleteMultipartUpload>${inner}</CompleteMultipartUpload>`
      const done = await send({ method: 'POST', uri: `${uri}?uploadId=${id}` }, xml)
      expect([done.status, await (await send({ uri })).text()]).toEqual([200, 'a part'])
      const source = decodeURIComponent(uri.slice(store.server.endpoint.length))
      const copy = { method: 'PUT', uri: `${folder}/data/copy.bin` }
      const headers = { 'x-amz-copy-source': [source] }
      expect((await send({ ...copy, headers })).status).toBe(200)
      expect(await (await send({ uri: copy.uri })).text()).toBe('a part')
    })

    test('no deletion of several objects is signed, whatever was asked before', async () => {
      const uri = `${folder}/data/one.bin`
      await send({ method: 'PUT', uri }, '1')
      const own = decodeURIComponent(uri.slice(bucket.length + 1))
      const nowhere = `${store.server.endpoint}/nosuch`
      const host = bucket.replace(/\/\/([^/]+)\/(.+)$/, '//$2.$1')
      const wanted = [
        deleteKeys(bucket, own),
        // Nothing that a store answers to any of these may open the next.
        { method: 'POST', uri: `${nowhere}?delete`, body: '<Delete></Delete>' },
        { method: 'POST', uri: `${bucket}?delete`, body: '<Delete></Delete>' },
        deleteKeys(nowhere, own),
        deleteKeys(host, own),
        { ...deleteKeys(bucket, own), headers: { 'Content-MD5': ['AAAAAAAAAAAAAAAAAAAAAA=='] } },
        deleteKeys(bucket, own),
      ]
      for (const each of wanted) {
        const refused = await refusal(sign(each))
        expect([refused.status, refused.message]).toEqual([
          ...[403, expect.stringContaining('one by one')],
        ])
      }
      expect((await send({ method: 'HEAD', uri })).status).toBe(200)
      expect((await send({ method: 'DELETE', uri })).status).toBe(204)
      expect((await send({ method: 'HEAD', uri })).status).toBe(404)
    })

    test('the body of a request to sign is not read, however long it is', async () => {
      // A pattern that went back on each space held the service for minutes.
      const body = `${' '.repeat(400_000)}x`
      const refused = await refusal(sign({ method: 'POST', uri: `${bucket}?delete`, body }))
      expect([refused.status, refused.message]).toEqual([
        ...[403, expect.stringContaining('one by one')],
      ])
    })

    test('a signature is of one address, method and header', async () => {
      const uri = `${folder}/data/kept.bin`
      await send({ method: 'PUT', uri }, 'kept')
      const { headers } = await must(sign({ uri }))
      const given = Object.entries(headers as Record<string, string[]>)
      const sent = Object.fromEntries(given.map(([key, values]) => [key, values.join()]))
      const status = async (address: string, method: string, more = {}) =>
        (await fetch(address, { method, headers: { ...sent, ...more } })).status
      expect(await status(uri, 'GET')).toBe(200)
      expect(await status(`${folder}/data/kept2.bin`, 'GET')).toBe(403)
      expect(await status(uri, 'DELETE')).toBe(403)
      expect(await status(`${uri}?partNumber=1`, 'GET')).toBe(403)
      expect(await status(uri, 'GET', { 'x-amz-date': '20260101T000000Z' })).toBe(403)
    })

    test.each<[string, (at: { folder: string; bucket: string }) => Wanted, RegExp]>([
      ['the folder beside it', (at) => ({ uri: `${at.folder}2/data/x` }), /not below/],
      ['the folder itself', (at) => ({ uri: at.folder }), /not below/],
      ['a climbing path', (at) => ({ uri: `${at.folder}/../../x` }), /dots/],
      ['an encoded climb', (at) => ({ uri: `${at.folder}/%2e%2e/x` }), /dots/],
      ['a climb encoded twice', (at) => ({ uri: `${at.folder}/%252e%252e/x` }), /encoded/],
      ['a climb behind a slash', (at) => ({ uri: `${at.folder}/a%2F..%2F..%2Fx` }), /dots/],
      ['an empty segment', (at) => ({ uri: `${at.folder}//x` }), /empty segment/],
      ['a backslash', (at) => ({ uri: `${at.folder}/a%5C..%5Cx` }), /backslash/],
      ['no encoding', (at) => ({ uri: `${at.folder}/%zz` }), /encoding/],
      ['a control character', (at) => ({ uri: `${at.folder}/a%00` }), /control/],
      ['another host', (at) => ({ uri: at.folder.replace('127.0.0.1', '127.0.0.2') }), /store/],
      ['a name in front', (at) => ({ uri: at.folder.replace('//', '//a@') }), /no address/],
      ['a bucket as host', (at) => ({ uri: `${at.folder.replace('//', '//other.')}/x` }), /below/],
      ['the whole bucket', (at) => ({ uri: `${at.bucket}?list-type=2` }), /prefix/],
      ['a list above', (at) => ({ uri: `${at.bucket}?list-type=2&prefix=t` }), /prefix/],
      ['a list that climbs', (at) => listOf(at, '/../'), /dots/],
      ['a list that ends in a climb', (at) => listOf(at, '/data/..'), /dots/],
      ['a list that ends in two slashes', (at) => listOf(at, '//'), /ends with a slash/],
      ['a list with an empty segment', (at) => listOf(at, '//x'), /empty segment/],
      ['a name twice', (at) => ({ uri: `${at.folder}/x?partNumber=1&partNumber=2` }), /encoding/],
      ['rights of an object', (at) => ({ uri: `${at.folder}/x?acl` }), /parameter "?acl/],
      ['a version to delete', (at) => del(`${at.folder}/x?versionId=1`), /versionId/],
      ['a plain POST', (at) => ({ method: 'POST', uri: `${at.folder}/x` }), /in parts/],
      ['another method', (at) => ({ method: 'PATCH', uri: `${at.folder}/x` }), /PATCH/],
      ['a constructor', (at) => ({ method: 'constructor', uri: `${at.folder}/x` }), /methods/],
      ['a prototype', (at) => ({ method: '__proto__', uri: `${at.folder}/x?x-id=1` }), /methods/],
      ['a bucket', (at) => ({ method: 'PUT', uri: at.bucket }), /whole bucket/],
      ['rights', (at) => put(`${at.folder}/x`, { 'x-amz-acl': ['public-read'] }), /x-amz-acl/],
      [
        'a source elsewhere',
        (at) => put(`${at.folder}/x`, { 'X-Amz-Copy-Source': ['/moraine-tests/other'] }),
        /not below/,
      ],
      [
        'a source that climbs',
        (at) => put(`${at.folder}/x`, { 'x-amz-copy-source': [`${pathOf(at.folder)}/../x`] }),
        /dots/,
      ],
      ['a header twice', (at) => put(`${at.folder}/x`, { A: ['1'], a: ['2'] }), /twice/],
      [
        'signed chunks',
        (at) => put(`${at.folder}/x`, { 'x-amz-content-sha256': ['STREAMING-AWS4-HMAC-SHA256'] }),
        /payload/,
      ],
      [
        'a deletion of anything',
        (at) => ({ method: 'POST', uri: `${at.bucket}?delete` }),
        /one by/,
      ],
      ['a deletion elsewhere', (at) => deleteKeys(at.bucket, 'other/x'), /one by one/],
    ])('%s is not signed, and the refusal says why', async (_, wanted, message) => {
      const refused = await refusal(sign(wanted({ folder, bucket })))
      expect([refused.status, refused.type]).toEqual([403, 'ForbiddenException'])
      expect(refused.message).toMatch(message)
    })

    test('bodies and headers are bounded', async () => {
      const uri = `${folder}/x`
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`h${i}`, ['1']]))
      expect((await sign({ uri, headers: many })).status).toBe(400)
      expect((await sign({ uri, headers: { h: ['x'.repeat(9_000)] } })).status).toBe(403)
      expect((await sign({ uri: `${uri}${'y'.repeat(9_000)}` })).status).toBe(403)
      expect((await sign({ uri, headers: { h: 7 as never } })).status).toBe(400)
    })

    test('nothing is signed where vending is off, nor for a table that is not there', async () => {
      const off = await store.start({ MORAINE_VEND: 'off' })
      await createTable(off, 't')
      const json = { method: 'GET', region: 'us-east-1', uri: `${folder}/x`, headers: {} }
      const signing = (at: TestService, table: string) =>
        refusal(rest(at, `/namespaces/sky/tables/${table}/sign`, { json }))
      expect(await signing(off, 't')).toMatchObject({
        status: 403,
        message: expect.stringContaining('MORAINE_VEND'),
      })
      expect(await signing(service, 'no')).toMatchObject({ status: 404 })
      const { body } = await loadTable(off, 't', SIGNING)
      expect(Object.keys(body.config)).not.toContain('s3.signer')
    })
  })
}

function deletion(key: string): string {
  const object = `<Object><Key>${key}</Key></Object>`
  return `<?xml version="1.0"?><Delete>${object}<Quiet>true</Quiet></Delete>`
}

function deleteKeys(bucket: string, key: string): Wanted {
  return { method: 'POST', uri: `${bucket}?delete`, body: deletion(key) }
}

function put(uri: string, headers: Record<string, string[]>): Wanted {
  return { method: 'PUT', uri, headers }
}

function del(uri: string): Wanted {
  return { method: 'DELETE', uri }
}

function listOf(at: { folder: string; bucket: string }, more: string): Wanted {
  const prefix = encodeURIComponent(`${at.folder.slice(at.bucket.length + 1)}${more}`)
  return { uri: `${at.bucket}?list-type=2&prefix=${prefix}` }
}

function pathOf(uri: string): string {
  return new URL(uri).pathname
}
