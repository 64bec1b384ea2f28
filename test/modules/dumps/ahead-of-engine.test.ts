import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService } from '../../http/harness.ts'
import {
  type BucketServer,
  openBucketServer,
  storesHere,
} from '../../objects/stores/bucket-server.ts'

const FILES = 4
const FIRST_WAITS_MS_MAX = 20_000

const [store = { name: 'weed' as const, why: 'no bucket store is installed' }] = storesHere()
const describeHere = store.why === undefined ? describe : describe.skip

/** Lets the first data file that is read whole wait until the second is asked for. */
function firstAfterSecond(objects: ObjectStore): ObjectStore {
  const asked = new Set<string>()
  let tellSecond = (): void => undefined
  const second = new Promise<void>((resolve) => {
    tellSecond = resolve
  })
  const readStream: ObjectStore['readStream'] = async function* (location, ...rest) {
    const isFirst = asked.size === 0
    if (location.endsWith('.parquet')) asked.add(location)
    if (asked.size > 1) tellSecond()
    if (isFirst && asked.size > 0) {
      const timer = setTimeout(tellSecond, FIRST_WAITS_MS_MAX)
      await second
      clearTimeout(timer)
      expect(asked.size).toBeGreaterThan(1)
    }
    yield* objects.readStream(location, ...rest)
  }
  return new Proxy(objects, {
    get: (target, name) => {
      if (name === 'readStream') return readStream
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describeHere(store.why ?? 'of a table in a bucket, with one engine process', () => {
  let server: BucketServer
  let home: string
  beforeAll(async () => {
    server = await openBucketServer(store.name)
    home = await mkdtemp(join(tmpdir(), 'moraine-ahead-'))
  }, 60_000)
  afterAll(async () => {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })

  test('the next file is fetched while the one before it is converted', async () => {
    const environment = { ...server.settingsFor(home), MORAINE_ENGINE_PROCESSES: '1' }
    const filling = await startTestService({ home, environment })
    const json = { name: 't', schema: { columns: [{ name: 'n', type: 'long' }] } }
    await must(post(filling, '/v1/tables', json), 201)
    for (let n = 0; n < FILES; n++) {
      const headers = { 'Content-Type': 'text/csv' }
      const request = { method: 'POST', headers, raw: `n\n${n}\n` }
      await must(ask(filling, '/v1/tables/t/files', request), 201)
    }
    await filling.stop()
    const service = await startTestService({ home, environment, wrapObjects: firstAfterSecond })
    try {
      const dump = await fetch(`${service.url}/v1/tables/t/dump?format=csv`)
      expect([dump.status, await dump.text()]).toEqual([200, 'n\n0\n1\n2\n3\n'])
    } finally {
      await service.stop()
    }
  })
})
