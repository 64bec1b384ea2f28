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
      MORAINE_GCS_ENDPOINT_AUTH: 'on',
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
    sts = await startStsStandIn()
    store = await startFakeGcs({ issuer: sts })
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

  test('the store takes them below the folder of the table, whatever is asked', async () => {
    const { metadata } = await createTable(service, 'asking')
    const { body } = await loadTable(service, 'asking', VENDED)
    const { bucket, endpoint } = store
    const api = `storage/v1/b/${bucket}/o`
    const send = async (path: string, init: RequestInit = {}, token?: string) => {
      const Authorization = `Bearer ${token ?? body.config['gcs.oauth2.token']}`
      const headers = { ...init.headers, Authorization }
      const { status } = await fetch(`${endpoint}/${path}`, { ...init, headers })
      return status
    }
    const mine = `${metadata.location.slice(`gs://${bucket}/`.length)}/data`
    const json = { 'content-type': 'application/json' }
    const begin = (name: string) => ({ method: 'POST', headers: json, body: `{"name":"${name}"}` })
    const parts = (name: string) => {
      const [metadata, bytes] = [`{"metadata":{"a":"b"},"name":"${name}"}`, 'x']
      const head = 'content-type: application/json'
      const text = `--b\r\n${head}\r\n\r\n${metadata}\r\n--b\r\n${head}\r\n\r\n${bytes}\r\n--b--`
      const headers = { 'content-type': 'multipart/related; boundary=b' }
      return { method: 'POST', headers, body: text }
    }
    const batch = (...keys: string[]) => {
      const text = keys.map((key, n) => {
        const head = `--b\r\nContent-Type: application/http\r\nContent-ID: <${n}>\r\n\r\n`
        return `${head}DELETE /${api}/${encodeURIComponent(key)} HTTP/1.1\r\n\r\n\r\n`
      })
      const headers = { 'content-type': 'multipart/mixed; boundary=b' }
      return { method: 'POST', headers, body: `${text.join('')}--b--` }
    }
    const statusesIn = async (folder: string) => [
      await send(`upload/${api}?uploadType=multipart`, parts(`${folder}/a`)),
      await send(`upload/${api}?uploadType=resumable`, begin(`${folder}/b`)),
      await send(`upload/${api}?uploadType=resumable&name=${folder}/c`, begin('')),
      await send(`${api}/${encodeURIComponent(`${folder}/a`)}?alt=media`),
      await send(`download/${api}/${encodeURIComponent(`${folder}/a`)}?alt=media`),
      await send(`${api}?prefix=${folder}/`),
      await send('batch/storage/v1', batch(`${mine}/x`, `${folder}/a`)),
      await send(`${api}/${encodeURIComponent(`${folder}/a`)}`, { method: 'DELETE' }),
    ]
    expect(await statusesIn(mine)).toEqual([...Array(7).fill(200), 404])
    expect(await statusesIn('elsewhere')).toEqual(Array(8).fill(403))
    expect(await send(`storage/v1/b/${bucket}`)).toBe(403)
    expect(await send(`${api}?prefix=${mine}/`, {}, 'nobody')).toBe(401)
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
    // Where no tokens are sent, none are bounded.
    const tokenless = await startFakeGcs()
    try {
      const cases: readonly Record<string, string>[] = [
        { MORAINE_VEND: 'off' },
        {
          ...{ MORAINE_GCS_ENDPOINT: tokenless.endpoint, MORAINE_GCS_ENDPOINT_AUTH: 'off' },
          MORAINE_GCS_STS_ENDPOINT: '',
        },
      ]
      for (const settings of cases) {
        const host = settings['MORAINE_GCS_ENDPOINT'] ?? store.endpoint
        const other = await start(settings)
        await createTable(other, 'plain')
        const { body } = await loadTable(other, 'plain', VENDED)
        expect(body.config).toEqual({ 'gcs.service.host': host })
        expect(body).not.toHaveProperty('storage-credentials')
        await other.stop()
      }
    } finally {
      await tokenless.stop()
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
