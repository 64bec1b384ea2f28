import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import {
  type BucketServer,
  openBucketServer,
  storesHere,
} from '../../objects/stores/bucket-server.ts'
import { type FaultyFront, openFaultyFront } from '../../objects/stores/faulty-front.ts'

const SCHEMA = {
  columns: [
    { name: 'n', type: 'long' },
    { name: 'word', type: 'string' },
  ],
}
/** Those that have two accounts: the gateway has one. */
const STORES = storesHere().filter(({ name }) => name !== 'versitygw')

for (const { name, why } of STORES) {
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? `a service with two credentials on ${name}`, () => {
    let server: BucketServer
    let front: FaultyFront
    let home: string
    let service: TestService
    beforeAll(async () => {
      server = await openBucketServer(name)
      front = await openFaultyFront(server.endpoint)
    }, 60_000)
    afterAll(async () => {
      await front.close()
      await server.stop()
    })
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'moraine-two-credentials-'))
      service = await start()
    })
    afterEach(async () => {
      await service.close()
      await rm(home, { recursive: true, force: true })
    })
    const start = () => {
      const endpoint = `MORAINE_${server.scheme === 's3' ? 'S3' : 'GCS'}_ENDPOINT`
      const environment = { ...server.settingsFor(home), [endpoint]: front.endpoint }
      return startTestService({ home, environment })
    }

    test('reads and lists by the one, and does everything else by the other', async () => {
      await must(post(service, '/v1/tables', { name: 't', schema: SCHEMA }), 201)
      const headers = { 'content-type': 'text/csv' }
      for (const raw of ['n,word\n1,one\n', 'n,word\n2,two\n']) {
        await must(ask(service, '/v1/tables/t/files', { method: 'POST', raw, headers }), 201)
      }
      // Nothing is in memory then.
      await service.stop()
      service = await start()
      const rest = '/iceberg/v1/namespaces/default/tables/t'
      await must(ask(service, '/v1/tables/t'))
      await must(ask(service, rest))
      await must(post(service, `${rest}/plan`, {}))
      await must(ask(service, '/v1/tables/t/rows'))
      await must(ask(service, '/ready'))
      const dump = `${service.url}/v1/tables/t/dump?format=csv&redirect=`
      for (const redirect of ['never', 'always']) {
        expect(await (await fetch(dump + redirect)).text()).toBe('n,word\n1,one\n2,two\n')
      }
      const sweep = { beforeMs: Date.now() + 60_000, signal: new AbortController().signal }
      await service.deps.objects.deleteUnfinished(server.warehouseFor(home), sweep)
      await must(ask(service, '/v1/tables/t?purge=now', { method: 'DELETE' }))
      // What is published after its answer.
      await sleep(500)

      // Links are followed by the client, and are signed in their address.
      const own = front.seen.filter(({ path }) => !/[?&]X-(?:Amz|Goog)-Signature=/.test(path))
      const { reads, writes } = server.accounts ?? {}
      const isRead = ({ method }: { readonly method: string }) => /^(?:GET|HEAD)$/.test(method)
      const usedBy = (asked: typeof own) => [...new Set(asked.map(({ accessKey }) => accessKey))]
      expect(usedBy(own.filter(isRead))).toEqual([reads])
      expect(usedBy(own.filter((one) => !isRead(one)))).toEqual([writes])
      const ways = new Set(own.map(wayOf))
      for (const way of ['list', 'bytes', 'create', 'delete']) expect(ways).toContain(way)
      // Metadata of an object, data files, and what a table consists of.
      const reading = own.filter(isRead).map(({ path }) => decodeURIComponent(path))
      for (const part of ['.parquet', '.avro', '.dumps']) {
        expect([part, reading.some((path) => path.includes(part))]).toEqual([part, true])
      }
    }, 60_000)
  })
}

/** What a request of either kind of store does. */
function wayOf({ method, path }: { readonly method: string; readonly path: string }): string {
  if (method === 'DELETE') return 'delete'
  if (method === 'PUT' || method === 'POST') return 'create'
  const isList = /[?&](?:prefix|list-type)=/.test(path)
  return isList ? 'list' : 'bytes'
}
