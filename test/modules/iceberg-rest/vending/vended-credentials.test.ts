import { randomUUID } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { TestService } from '../../../http/harness.ts'
import { whyNoStore } from '../../../objects/stores/store-program.ts'
import { must, rest } from '../http/rest-client.ts'
import {
  clientOf,
  createTable,
  type EngineStore,
  loadTable,
  openEngineStore,
  placeOf,
  VENDED,
} from './engine-store.ts'

const HOUR_MS = 3_600_000
const why = whyNoStore('weed')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'credentials for engines', () => {
  let store: EngineStore
  beforeAll(async () => {
    store = await openEngineStore('weed')
  }, 60_000)
  afterAll(() => store.stop())

  describe('of a role', () => {
    let service: TestService
    let nowMs = Date.now()
    beforeAll(async () => {
      const role = { MORAINE_S3_VEND_ROLE: store.server.role }
      service = await store.start(role, { nowMs: () => nowMs })
    })
    beforeEach(() => {
      nowMs = Date.now()
    })

    test('they do for the files of the table, and for no others', async () => {
      const { metadata } = await createTable(service, 'mine')
      await createTable(service, 'mine2', { location: `${metadata.location}2` })
      const { body, headers } = await loadTable(service, 'mine', VENDED)
      const [{ prefix, config }] = body['storage-credentials']
      expect(prefix).toBe(`${metadata.location}/`)
      expect(body.config).toEqual(config)
      expect(config).toEqual({
        's3.endpoint': store.server.endpoint,
        's3.region': 'us-east-1',
        'client.region': 'us-east-1',
        's3.path-style-access': 'true',
        's3.access-key-id': expect.stringMatching(/^ASIA/),
        's3.secret-access-key': expect.any(String),
        's3.session-token': expect.any(String),
        's3.session-token-expires-at-ms': expect.stringMatching(/^\d{13}$/),
        'client.refresh-credentials-endpoint': 'v1/namespaces/sky/tables/mine/credentials',
      })
      expect(headers.get('cache-control')).toBe('no-store')
      const client = clientOf(config)
      const { Bucket, Key } = placeOf(metadata.location)
      const may = async (command: object) => {
        const sent = client.send(command as never)
        return sent.then(
          () => 'allowed',
          ({ name }: Error) => name,
        )
      }
      const inside = { Bucket, Key: `${Key}/data/a b+=é.parquet` }
      const outside = { Bucket, Key: `${Key}2/data/other.parquet` }
      expect([
        await may(new PutObjectCommand({ ...inside, Body: 'x' })),
        await may(new GetObjectCommand(inside)),
        await may(new ListObjectsV2Command({ Bucket, Prefix: `${Key}/` })),
        await may(new DeleteObjectCommand(inside)),
      ]).toEqual(['allowed', 'allowed', 'allowed', 'allowed'])
      expect([
        await may(new PutObjectCommand({ ...outside, Body: 'x' })),
        await may(new GetObjectCommand(outside)),
        await may(new ListObjectsV2Command({ Bucket, Prefix: `${Key}2/` })),
        await may(new ListObjectsV2Command({ Bucket, Prefix: Key })),
        await may(new ListObjectsV2Command({ Bucket })),
        await may(new DeleteObjectCommand(outside)),
      ]).toEqual(Array(6).fill('AccessDenied'))
      client.destroy()
    })

    test('loads share them for half of their life, and then get newer ones', async () => {
      await createTable(service, 'shared')
      const token = async () => {
        const { body } = await loadTable(service, 'shared', VENDED)
        return body.config['s3.session-token']
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
      expect(given[0].config['s3.session-token']).toBe(second)
    })

    test('a tag never stands for credentials, and stays right without them', async () => {
      await createTable(service, 'tagged')
      const plain = await loadTable(service, 'tagged')
      const tag = plain.headers.get('etag') ?? ''
      expect(plain.body).not.toHaveProperty('storage-credentials')
      expect(Object.keys(plain.body.config)).not.toContain('s3.secret-access-key')
      expect(plain.body.config['s3.endpoint']).toBe(store.server.endpoint)
      const known = { 'If-None-Match': tag }
      expect((await loadTable(service, 'tagged', known)).status).toBe(304)
      const vended = await loadTable(service, 'tagged', { ...known, ...VENDED })
      expect([vended.status, vended.headers.get('etag')]).toEqual([200, null])
      expect(vended.body['storage-credentials']).toHaveLength(1)
      const any = await loadTable(service, 'tagged', { 'If-None-Match': '*', ...VENDED })
      expect(any.status).toBe(200)
    })

    test('creations have them, also staged, registered and repeated ones', async () => {
      const key = { 'Idempotency-Key': randomUUID(), ...VENDED }
      const made = await createTable(service, 'made', { headers: key })
      const again = await createTable(service, 'made', { headers: key })
      const staged = await createTable(service, 'staged', {
        ...{ 'stage-create': true, headers: { ...VENDED, 'Idempotency-Key': randomUUID() } },
      })
      const location = made['metadata-location']
      await must(rest(service, '/namespaces/sky/tables/made', { method: 'DELETE' }), 204)
      const registered = await must(
        rest(service, '/namespaces/sky/register', {
          json: { name: 'registered', 'metadata-location': location },
          headers: VENDED,
        }),
      )
      for (const answer of [made, again, staged, registered]) {
        const [{ prefix, config }] = answer['storage-credentials']
        expect(prefix).toBe(`${answer.metadata.location}/`)
        expect(config['s3.session-token']).toEqual(expect.any(String))
      }
    })
  })

  test('without a role they are keys that the operator names, never the own ones', async () => {
    const keys = `${store.server.keysFile}#reader`
    const service = await store.start({ MORAINE_S3_CREDENTIALS_ENGINES: keys })
    await createTable(service, 't')
    const { body } = await loadTable(service, 't', VENDED)
    const { accessKeyId, secretAccessKey } = store.server.readCredentials
    const [{ config }] = body['storage-credentials']
    expect(config).toMatchObject({
      's3.access-key-id': accessKeyId,
      's3.secret-access-key': secretAccessKey,
    })
    expect(Object.keys(config)).not.toContain('client.refresh-credentials-endpoint')
    const none = await store.start()
    await createTable(none, 't')
    const own = await loadTable(none, 't', VENDED)
    expect(own.body).not.toHaveProperty('storage-credentials')
    expect(own.text).not.toContain(store.server.writeCredentials.secretAccessKey)
    const asked = await must(rest(none, '/namespaces/sky/tables/t/credentials'))
    expect(asked).toEqual({ 'storage-credentials': [] })
  })

  test('nothing is given where vending is off, but where the store is', async () => {
    const settings = { MORAINE_VEND: 'off', MORAINE_S3_VEND_ROLE: store.server.role }
    const engines = { MORAINE_S3_PUBLIC_ENDPOINT: 'https://store.example.org' }
    const service = await store.start({ ...settings, ...engines })
    await createTable(service, 't')
    const both = { 'X-Iceberg-Access-Delegation': 'vended-credentials, remote-signing' }
    const { body, headers } = await loadTable(service, 't', both)
    expect(body.config).toEqual({
      's3.endpoint': 'https://store.example.org',
      's3.region': 'us-east-1',
      'client.region': 'us-east-1',
      's3.path-style-access': 'true',
    })
    expect(headers.get('etag')).not.toBeNull()
    expect(body).not.toHaveProperty('storage-credentials')
  })

  test('a role that may not be assumed is a problem of loads, and fails no creation', async () => {
    const role = 'arn:aws:iam::000000000000:role/nobody'
    const service = await store.start({ MORAINE_S3_VEND_ROLE: role })
    await createTable(service, 't', { headers: VENDED })
    const { status, body } = await loadTable(service, 't', VENDED)
    expect([status, body.error.type]).toEqual([507, 'ServiceFailureException'])
    expect((await loadTable(service, 't')).status).toBe(200)
  })
})
