import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { GcsVending } from '../../../../src/objects/gcs/gcs-vending.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type FakeGcsServer, startFakeGcs } from '../../../objects/stores/gcs-server.ts'
import { whyNoStore } from '../../../objects/stores/store-program.ts'
import { type StsStandIn, startStsStandIn } from '../../../objects/stores/sts-stand-in.ts'
import { must, rest } from '../http/rest-client.ts'
import { createTable, loadTable, VENDED } from './engine-store.ts'

const HOUR_MS = 3_600_000
const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'tokens of Google Cloud Storage for engines', () => {
  let store: FakeGcsServer
  let sts: StsStandIn
  let home: string
  let service: TestService
  let nowMs = Date.now()
  const services: TestService[] = []
  const start = async (settings: Record<string, string> = {}) => {
    const own = await mkdtemp(join(home, 'home-'))
    const environment = {
      MORAINE_WAREHOUSE: `gs://${store.bucket}/${basename(own)}`,
      MORAINE_GCS_ENDPOINT: store.endpoint,
      MORAINE_GCS_CREDENTIALS: join(home, 'credentials.json'),
      MORAINE_GCS_STS_ENDPOINT: sts.endpoint,
      MORAINE_VEND: 'on',
      ...settings,
    }
    const started = await startTestService({
      home: own,
      environment,
      ambient: { nowMs: () => nowMs },
    })
    services.push(started)
    return started
  }
  beforeAll(async () => {
    store = await startFakeGcs()
    sts = await startStsStandIn()
    home = await mkdtemp(join(tmpdir(), 'moraine-gcs-tokens-'))
    await writeFile(join(home, 'subject'), 'a-text-of-the-machine')
    const credentials = sts.credentialsFor(join(home, 'subject'))
    await writeFile(join(home, 'credentials.json'), JSON.stringify(credentials))
    service = await start()
  }, 60_000)
  beforeEach(() => {
    nowMs = Date.now()
    sts.refuseWith(undefined)
  })
  afterAll(async () => {
    for (const each of services) await each.stop()
    await store?.stop()
    await sts?.stop()
    await rm(home, { recursive: true, force: true })
  })

  test('they do for the files of the table, and for no others', async () => {
    const name = `it's "mine" é`
    const { metadata } = await createTable(service, name)
    const { body, headers } = await loadTable(service, encodeURIComponent(name), VENDED)
    const [{ prefix, config }] = body['storage-credentials']
    expect(prefix).toBe(`${metadata.location}/`)
    expect(body.config).toEqual(config)
    expect(config).toEqual({
      'gcs.service.host': store.endpoint,
      'gcs.oauth2.token': expect.stringMatching(/^bounded-/),
      'gcs.oauth2.token-expires-at': String(nowMs + HOUR_MS),
      'gcs.oauth2.refresh-credentials-endpoint': expect.stringMatching(/\/credentials$/),
    })
    expect(headers.get('cache-control')).toBe('no-store')
    const { bucket } = store
    const key = metadata.location.slice(`gs://${bucket}/`.length)
    const may = (action: 'get' | 'list' | 'create' | 'delete', asked: string, other = bucket) =>
      sts.allows(config['gcs.oauth2.token'], { action, bucket: other, key: asked })
    expect([
      may('get', `${key}/data/a b+=é.parquet`),
      may('create', `${key}/data/a.parquet`),
      may('delete', `${key}/data/a.parquet`),
      may('list', `${key}/`),
      may('list', `${key}/data/`),
    ]).toEqual(Array(5).fill(true))
    expect([
      may('get', `${key}2/data/a.parquet`),
      may('create', `${key}`),
      may('delete', 'elsewhere/a.parquet'),
      may('list', key),
      may('list', ''),
      may('get', `${key}/data/a.parquet`, 'another-bucket'),
    ]).toEqual(Array(6).fill(false))
  })

  test('who may only read, and folders that are only read, get tokens that read', async () => {
    const { bucket, endpoint } = store
    const keyFile = join(home, 'credentials.json')
    const vending = new GcsVending({
      ...{ endpoint, readKeyFile: keyFile, writeKeyFile: keyFile, stsEndpoint: sts.endpoint },
      writableRoots: [`gs://${bucket}/written`],
      readableRoots: [`gs://${bucket}`],
      ...{ isOn: true, nowMs: () => nowMs },
    })
    const rightsIn = async (folder: string, right: 'read' | 'write') => {
      const request = { right, holdsAll: false, refreshPath: 'v1/credentials' }
      const given = await vending.vend(`gs://${bucket}/${folder}`, request)
      const token = given?.['gcs.oauth2.token'] ?? ''
      const key = `${folder}/data/a.parquet`
      return (['get', 'create', 'delete'] as const).map((action) =>
        sts.allows(token, { action, bucket, key }),
      )
    }
    expect(await rightsIn('written/table', 'write')).toEqual([true, true, true])
    expect(await rightsIn('written/table', 'read')).toEqual([true, false, false])
    expect(await rightsIn('elsewhere/table', 'write')).toEqual([true, false, false])
    const outside = { right: 'read', holdsAll: true, refreshPath: 'v1/credentials' } as const
    expect(await vending.vend('gs://another-bucket/table', outside)).toBeUndefined()
  })

  test('loads share them for half of their life, and then get newer ones', async () => {
    await createTable(service, 'shared')
    const token = async () => {
      const { body } = await loadTable(service, 'shared', VENDED)
      return body.config['gcs.oauth2.token']
    }
    const first = await token()
    expect(await Promise.all([token(), token()])).toEqual([first, first])
    nowMs += HOUR_MS * 0.45
    expect(await token()).toBe(first)
    nowMs += HOUR_MS * 0.1
    const second = await token()
    expect(second).not.toBe(first)
    const path = '/namespaces/sky/tables/shared/credentials'
    const { 'storage-credentials': given } = await must(rest(service, path))
    expect(given[0].config['gcs.oauth2.token']).toBe(second)
  })

  test('without asking, or without a token service, there are none', async () => {
    await createTable(service, 'plain')
    const issued = sts.issued()
    expect((await loadTable(service, 'plain')).body.config).toEqual({
      'gcs.service.host': store.endpoint,
    })
    expect(sts.issued()).toBe(issued)
    for (const settings of [{ MORAINE_VEND: 'off' }, { MORAINE_GCS_STS_ENDPOINT: '' }]) {
      const other = await start(settings)
      await createTable(other, 'plain')
      const { body } = await loadTable(other, 'plain', VENDED)
      expect(body.config).toEqual({ 'gcs.service.host': store.endpoint })
      expect(body).not.toHaveProperty('storage-credentials')
    }
  })

  test.each([
    [403, 507],
    [400, 500],
    [503, 429],
  ])('a token service that answers %i is told by %i', async (status, answered) => {
    await createTable(service, `refused-${status}`)
    sts.refuseWith(status)
    const refused = await loadTable(service, `refused-${status}`, VENDED)
    expect(refused.status).toBe(answered)
    expect(JSON.stringify(refused.body)).not.toMatch(/own-|bounded-/)
  })
})
