import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Json, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import {
  type BucketServer,
  openBucketServer,
  storesHere,
} from '../../../objects/stores/bucket-server.ts'
import { type FaultyFront, openFaultyFront } from '../../../objects/stores/faulty-front.ts'
import { writeParquet } from '../../../parquet-files.ts'
import { addFile, download, eventually, makeTable, rows, sha256 } from '../http/dump-lab.ts'

const HOUR_MS = 3_600_000

for (const { name, why } of storesHere()) {
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `links to dumps on ${name}`, () => {
    let server: BucketServer
    let front: FaultyFront
    let home: string
    let service: TestService
    let hours = 0
    beforeAll(async () => {
      server = await openBucketServer(name)
      const { MORAINE_S3_ENDPOINT, MORAINE_GCS_ENDPOINT } = server.settingsFor('/home')
      front = await openFaultyFront(MORAINE_S3_ENDPOINT ?? MORAINE_GCS_ENDPOINT ?? '')
    }, 60_000)
    afterAll(async () => {
      await front.close()
      await server.stop()
    })
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'moraine-links-'))
      service = await start()
    })
    afterEach(async () => {
      hours = 0
      await service.close()
      await rm(home, { recursive: true, force: true })
    })
    const start = (settings: Readonly<Record<string, string>> = {}) => {
      const endpoint = `MORAINE_${server.scheme === 's3' ? 'S3' : 'GCS'}_ENDPOINT`
      const environment = { ...server.settingsFor(home), [endpoint]: front.endpoint, ...settings }
      const nowMs = () => Date.now() + hours * HOUR_MS
      return startTestService({ home, environment, ambient: { nowMs } })
    }
    const address = (query = '', table = 't') =>
      `${service.url}/v1/tables/${table}/dump?format=csv${query}`
    const linked = async (url: string, headers: Record<string, string> = {}) => {
      const got = await download(url, { headers })
      expect([got.status, got.body.length]).toEqual([302, 0])
      return { url: got.headers.location ?? '', headers: got.headers }
    }
    const objectsBelow = async (part: string) => {
      const found: string[] = []
      for await (const { location } of service.deps.objects.list(server.warehouseFor(home))) {
        if (location.includes(part)) found.push(location)
      }
      return found
    }

    test('a dump of any format is the same by a link as from the service', async () => {
      await makeTable(service, 't', [rows(2_000), rows(2_000, 2_000)])
      const formats = ['csv', 'csv&compression=gzip', 'ndjson&compression=zstd', 'tsv', 'json']
      for (const format of [...formats, 'xml', 'ndjson', 'parquet', 'arrow']) {
        const url = `${service.url}/v1/tables/t/dump?format=${format}`
        const { body, headers } = await download(`${url}&redirect=never`)
        const link = await linked(`${url}&redirect=always`)
        expect(new URL(link.url).origin).toBe(front.endpoint)
        const got = await download(link.url)
        expect([format, got.status, sha256(got.body)]).toEqual([format, 200, sha256(body)])
        expect(got.headers['content-type']).toBe(headers['content-type'])
        expect(got.headers['content-disposition']).toBe(headers['content-disposition'])
        const digest = Buffer.from(sha256(body), 'hex').toString('base64')
        expect(link.headers['repr-digest']).toBe(`sha-256=:${digest}:`)
        expect(link.headers['link']).toContain('rel="canonical"')
        expect(link.headers.etag).toBeUndefined()
        expect(JSON.stringify(service.log)).not.toMatch(/Signature=/)
      }
    }, 60_000)

    test('auto sends to the store once the dump is one object there', async () => {
      await makeTable(service, 't', [rows(2_000), rows(2_000, 2_000)])
      const first = await download(address())
      expect([200, 302]).toContain(first.status)
      await eventually(async () => (await download(address())).status === 302)
      const whole = (await download(address('&redirect=never'))).body
      const head = await download(address(), { method: 'HEAD' })
      expect([head.status, head.headers['content-length']]).toEqual([200, `${whole.length}`])
      // DuckDB compares it with that of each range, which is the store's.
      expect(head.headers.etag).toBeUndefined()
      // The signature of a link is for one method in S3.
      const always = await download(address('&redirect=always'), { method: 'HEAD' })
      expect([always.status, always.headers['repr-digest']]).toEqual([
        302,
        head.headers['repr-digest'],
      ])
      const there = await download(always.headers.location ?? '', { method: 'HEAD' })
      expect([there.status, there.headers['content-length']]).toEqual([200, `${whole.length}`])
      const own = await download(address('&redirect=never'), { method: 'HEAD' })
      expect(own.headers.etag).toMatch(/^"/)
      const { headers } = await linked(address())
      expect(headers['cache-control']).toBe('private, no-cache')
      const pinned = `${service.url}${/<(.*)>/.exec(`${headers['link']}`)?.[1]}`
      const kept = await linked(pinned)
      expect(kept.headers['cache-control']).toBe('private, max-age=3600')
      // curl -C -, wget -c and aria2c send a bare range to both.
      const range = { range: 'bytes=100-199' }
      const part = await download((await linked(pinned, range)).url, { headers: range })
      expect([part.status, part.body.toString()]).toEqual([206, whole.toString().slice(100, 200)])
      // At a moving address it is for the service to say that it moves.
      expect((await download(address(), { headers: range })).status).toBe(428)
      const beyond = { range: `bytes=${whole.length}-` }
      expect((await download(pinned, { headers: beyond })).status).toBe(416)
      const ckan = await linked(`${service.url}/datastore/dump/t?format=csv`)
      expect((await download(ckan.url)).body.equals(whole)).toBe(true)
      const named = await download(`${service.url}/v1/tables/t/t.csv?redirect=never`)
      const target = service.url + named.headers.location
      expect([named.status, (await download(target)).status]).toEqual([307, 200])
    }, 30_000)

    test('what only the service can do, it does itself', async () => {
      await makeTable(service, 't', [rows(100), rows(100, 100)])
      const { headers } = await download(address('&redirect=never'))
      await linked(address('&redirect=always'))
      const { etag = '' } = headers
      const own: [Record<string, string>, number][] = [
        [{ 'if-none-match': etag }, 304],
        [{ 'if-match': etag }, 200],
        [{ 'if-match': '"other"' }, 412],
        [{ range: 'bytes=0-9', 'if-range': etag }, 206],
        [{ 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 200],
        [{ authorization: 'Bearer secret' }, 200],
        [{ 'x-ckan-api-key': 'secret' }, 200],
        [{ origin: service.url }, 200],
        [{ 'sec-fetch-mode': 'cors' }, 200],
        [{ 'sec-fetch-mode': 'navigate' }, 302],
        [{}, 302],
      ]
      for (const [asked, status] of own) {
        const got = await download(address(), { headers: asked })
        expect([asked, got.status]).toEqual([asked, status])
      }
      // Whoever asks for it in any case gets it.
      await linked(address('&redirect=always'), { authorization: 'Bearer secret' })
    }, 30_000)

    test('another process finds what one has joined; an operator can have no links', async () => {
      await makeTable(service, 't', [rows(100), rows(100, 100)])
      const { url } = await linked(address('&redirect=always'))
      await service.stop()
      service = await start({ MORAINE_LINK_EXPIRY_HOURS: '0.25' })
      front.seen.length = 0
      const again = await linked(address())
      const pathOf = (link: string) => new URL(link).pathname
      expect(pathOf(again.url)).toBe(pathOf(url))
      const life = [...new URL(again.url).searchParams].find(([key]) => /-Expires$/.test(key))
      expect(life?.[1]).toBe('900')
      // The index and the dump are looked for, and a mark says that it is lent.
      const made = front.seen.filter(({ method }) => ['PUT', 'POST', 'DELETE'].includes(method))
      expect(made).toHaveLength(1)
      expect(made[0]?.path).toMatch(/linked-until/)
      await service.stop()
      service = await start({ MORAINE_LINK_EXPIRY_HOURS: '0' })
      expect((await download(address())).status).toBe(200)
      expect((await download(address('&redirect=always'))).status).toBe(501)
    }, 30_000)

    test('while a link is valid its dump is kept, and then it is swept as others', async () => {
      const [snapshotId] = await makeTable(service, 't', [rows(10)])
      const { url } = await linked(address('&redirect=always'))
      const other = await download(address('&format=x').replace('csv&format=x', 'ndjson'))
      expect(other.status).toBeLessThan(400)
      const grow = async (times: number) => {
        for (let i = 0; i < times; i++) {
          await addFile(service, 't', rows(10, 10 * (i + 1)))
          await download(address('&redirect=never'))
        }
        await eventually(async () => (await objectsBelow('.csv')).length > 0)
      }
      await grow(5)
      expect(await objectsBelow(`/${snapshotId}-`)).toContainEqual(expect.stringMatching(/csv$/))
      const { status, body } = await download(url)
      expect([status, body.toString().split('\n')]).toEqual([200, expect.any(Array)])
      hours = 26
      await grow(1)
      await eventually(async () => (await objectsBelow(`/csv/${snapshotId}-`)).length === 0)
      expect((await download(url)).status).toBe(404)
    }, 60_000)

    test('while linked dumps take more than the budget, there are no new links', async () => {
      await service.stop()
      service = await start({ MORAINE_DUMP_BUDGET: '1KB' })
      await makeTable(service, 't', [rows(30), rows(30, 30)])
      await makeTable(service, 'u', [rows(30), rows(30, 30)])
      await linked(address('&redirect=always'))
      // A link that is counted goes on; another is not made, and nothing is joined for it.
      await linked(address())
      expect((await download(address('', 'u'))).status).toBe(200)
      const wanted = () => fetch(address('&redirect=always', 'u'), { redirect: 'manual' })
      const refused = await wanted()
      const problem = (await refused.json()) as Json
      expect([refused.status, problem.type]).toEqual([503, '/problems/overloaded'])
      expect(JSON.stringify(problem)).toMatch(/MORAINE_DUMP_BUDGET.*redirect=never/)
      expect(await objectsBelow('/linked-until-')).toHaveLength(1)
      hours = 26
      expect((await wanted()).status).toBe(302)
    }, 60_000)

    test('a dump that cannot be joined is sent by the service', async () => {
      await makeTable(service, 't', [rows(100), rows(100, 100)])
      const isJoin = ({ method, path }: { method: string; path: string }) =>
        method.startsWith('P') && /[0-9a-f]{64}\.csv/.test(path) && !path.includes('shards')
      front.fail(
        isJoin,
        ...Array.from({ length: 40 }, () => ({ kind: 'answer', status: 500 }) as const),
      )
      const got = await download(address())
      expect([got.status, got.body.toString().split('\n').length]).toEqual([200, 202])
      const refused = await fetch(address('&redirect=always'), { redirect: 'manual' })
      const problem = (await refused.json()) as Json
      expect([refused.status, problem.type]).toEqual([503, '/problems/storage-unavailable'])
      expect((await download(address())).status).toBe(200)
      expect(await objectsBelow('/linked-until-')).toEqual([])
    }, 60_000)

    test('a dump of a whole object is linked as it is, and one without bytes, too', async () => {
      await makeTable(service, 't', [rows(10)])
      await must(post(service, '/v1/tables', { name: 'none', infer_from: await someFile() }), 201)
      const ndjson = (table: string) => `${service.url}/v1/tables/${table}/dump?format=ndjson`
      const whole = await download(`${ndjson('t')}&redirect=never`)
      const { url } = await linked(`${ndjson('t')}&redirect=always`)
      expect(url).toMatch(/\/shards\//)
      expect((await download(url)).body.equals(whole.body)).toBe(true)
      const empty = await linked(`${ndjson('none')}&redirect=always`)
      const { status, body } = await download(empty.url)
      expect([status, body.length]).toEqual([200, 0])
    }, 30_000)

    const someFile = () => writeParquet(join(service.dataFolder, 'none.parquet'), rows(1))
  })
}
