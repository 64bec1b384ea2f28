import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import {
  type BucketServer,
  openBucketServer,
  storesHere,
} from '../../objects/stores/bucket-server.ts'
import { writeParquet } from '../../parquet-files.ts'

const SCHEMA = {
  columns: [
    { name: 'n', type: 'long' },
    { name: 'word', type: 'string' },
  ],
}

for (const { name, why } of storesHere()) {
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `a warehouse on ${name}`, () => {
    let server: BucketServer
    let home: string
    let service: TestService
    beforeAll(async () => {
      server = await openBucketServer(name)
    }, 60_000)
    afterAll(() => server.stop())
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'moraine-bucket-'))
      service = await start()
    })
    afterEach(async () => {
      await service.close()
      await rm(home, { recursive: true, force: true })
    })
    const start = () => startTestService({ home, environment: server.settingsFor(home) })

    test('a table is made, filled, read in the past, dumped, and purged', async () => {
      await must(post(service, '/v1/tables', { name: 't', schema: SCHEMA }), 201)
      const csv = 'n,word\n1,one\n2,two\n'
      const first = await must(upload(service, csv), 201)
      await must(upload(service, 'n,word\n3,three\n'), 201)
      const url = (selector: string) => `${service.url}/v1/tables/t/dump?format=csv${selector}`
      expect(await (await fetch(url(''))).text()).toBe(`${csv}3,three\n`)
      const past = await fetch(url(`&snapshot_id=${first.results[0].snapshot_id}`))
      expect(await past.text()).toBe(csv)
      const part = await fetch(url(`&snapshot_id=${first.results[0].snapshot_id}`), {
        headers: { range: 'bytes=7-11' },
      })
      expect([part.status, await part.text()]).toEqual([206, '1,one'])
      for (const format of ['parquet', 'arrow', 'ndjson']) {
        const dump = await fetch(`${service.url}/v1/tables/t/dump?format=${format}`)
        expect([format, dump.status, (await dump.arrayBuffer()).byteLength > 0]).toEqual([
          format,
          200,
          true,
        ])
      }
      const below = `${server.warehouseFor(home)}/`
      expect((await listed(service, below)).length).toBeGreaterThan(0)
      await must(ask(service, '/v1/tables/t?purge=now', { method: 'DELETE' }), 200)
      const left = await listed(service, below)
      expect(left.filter((location) => /\/t-[0-9a-f-]{36}\//.test(location))).toEqual([])
    })

    test('files here and in the bucket are one table, also after a restart', async () => {
      await must(post(service, '/v1/tables', { name: 't', schema: SCHEMA }), 201)
      const query = `SELECT 1::BIGINT AS n, 'here' AS word`
      const path = await writeParquet(join(service.dataFolder, 'here.parquet'), query)
      await must(upload(service, 'n,word\n2,there\n'), 201)
      const files = { files: [{ path: `file://${path}` }] }
      await must(post(service, '/v1/tables/t/files', files))
      await service.stop()
      service = await start()
      const dump = await fetch(`${service.url}/v1/tables/t/dump?format=csv`)
      expect((await dump.text()).split('\n').sort()).toEqual(['', '1,here', '2,there', 'n,word'])
    })

    test('a bucket that is not there stops the start, and says so', async () => {
      await service.stop()
      const environment = {
        ...server.settingsFor(home),
        MORAINE_WAREHOUSE: `${server.scheme}://moraine-no-such-bucket/lake`,
      }
      await expect(startTestService({ home: join(home, 'other'), environment })).rejects.toThrow(
        /MORAINE_WAREHOUSE=.*cannot be used: .*no such bucket/,
      )
    })
  })
}

function upload(service: TestService, csv: string) {
  const headers = { 'content-type': 'text/csv' }
  return ask(service, '/v1/tables/t/files', { method: 'POST', raw: csv, headers })
}

async function listed(service: TestService, folder: string): Promise<string[]> {
  const locations: string[] = []
  for await (const { location } of service.deps.objects.list(folder)) locations.push(location)
  return locations
}
