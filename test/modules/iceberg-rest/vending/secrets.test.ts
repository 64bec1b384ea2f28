import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestService } from '../../../http/harness.ts'
import { whyNoStore } from '../../../objects/stores/store-program.ts'
import { must, rest } from '../http/rest-client.ts'
import {
  createTable,
  type EngineStore,
  loadTable,
  openEngineStore,
  SIGNING,
  VENDED,
} from './engine-store.ts'

const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'secrets of stores', () => {
  let store: EngineStore
  beforeAll(async () => {
    store = await openEngineStore('weed')
  }, 60_000)
  afterAll(() => store.stop())

  test.each(['role', 'keys'] as const)(
    'are in no log, metric, event, problem, plan, file or row of the catalog (%s)',
    async (way) => {
      const service = await store.start(
        way === 'role'
          ? { MORAINE_S3_VEND_ROLE: store.server.role }
          : { MORAINE_S3_CREDENTIALS_ENGINES: `${store.server.keysFile}#reader` },
      )
      const { secrets, answers } = await useEverything(service)
      secrets.add(store.server.writeCredentials.secretAccessKey)
      secrets.add(store.server.readCredentials.secretAccessKey)
      expect(secrets.size).toBeGreaterThan(2)
      const places = {
        ...answers,
        log: JSON.stringify(service.log),
        metrics: await (await fetch(`${service.url}/metrics`)).text(),
        events: await (await fetch(`${service.url}/v1/events`)).text(),
        ...(await filesOfStore(service)),
      }
      await service.stop()
      const everything = { ...places, ...(await filesOfHome(service.home)) }
      // What could hold them is there.
      const names = Object.keys(everything)
      expect(names).toContain('catalog.db')
      expect(names.some((name) => name.endsWith('.metadata.json'))).toBe(true)
      expect(everything.events).toContain('table')
      const found = Object.entries(everything).filter(([, text]) => {
        return [...secrets].some((secret) => text.includes(secret))
      })
      expect(found.map(([name]) => name)).toEqual([])
    },
  )
})

/** All secrets that were given away, and the answers that must have none. */
async function useEverything(service: TestService) {
  const secrets = new Set<string>()
  const table = '/namespaces/sky/tables/t'
  const keyed = () => ({ ...VENDED, 'Idempotency-Key': randomUUID() })
  const same = keyed()
  const given = [
    await createTable(service, 't', { headers: same }),
    await createTable(service, 't', { headers: same }),
    await createTable(service, 'staged', { headers: keyed(), 'stage-create': true }),
    (await loadTable(service, 't', VENDED)).body,
    await must(rest(service, `${table}/credentials`)),
  ]
  for (const { 'storage-credentials': credentials } of given) {
    expect(credentials).toHaveLength(1)
    const { config } = credentials[0]
    secrets.add(config['s3.secret-access-key'])
    if (config['s3.session-token'] !== undefined) secrets.add(config['s3.session-token'])
  }
  const endpoint = given[0].config['s3.endpoint']
  const place = given[0].metadata.location.slice('s3://'.length)
  const sign = (key: string) =>
    rest(service, `${table}/sign`, {
      headers: { 'Idempotency-Key': randomUUID() },
      json: { method: 'GET', region: 'us-east-1', uri: `${endpoint}/${place}${key}`, headers: {} },
    })
  const { headers } = await must(sign('/data/x'))
  secrets.add(/Signature=([0-9a-f]{64})/.exec(headers.authorization[0])?.[1] ?? 'none')
  const commit = (more: object) =>
    rest(service, table, {
      headers: keyed(),
      json: { requirements: [], updates: [{ action: 'set-properties', updates: more }] },
    })
  const plan = await rest(service, `${table}/plan`, { json: {}, headers: VENDED })
  const answers = {
    commit: (await commit({ owner: 'ops' })).text,
    plan: plan.text,
    refusedSign: (await sign('2/data/x')).text,
    missing: (await loadTable(service, 'no', VENDED)).text,
    plainLoad: (await loadTable(service, 't')).text,
    signingLoad: (await loadTable(service, 't', SIGNING)).text,
  }
  expect(plan.status).toBe(200)
  return { secrets, answers }
}

async function filesOfStore(service: TestService): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  const { objects, warehouse } = service.deps
  for await (const { location } of objects.list(warehouse)) {
    const bytes = await objects.read(location, { bytesMax: 10_000_000 })
    files[location] = Buffer.from(bytes).toString('latin1')
  }
  return files
}

async function filesOfHome(home: string): Promise<Record<string, string>> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name)
    return [path.slice(home.length + 1), await readFile(path, 'latin1')] as const
  })
  return Object.fromEntries(await Promise.all(texts))
}
