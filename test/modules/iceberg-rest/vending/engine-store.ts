import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import type { Ambient } from '../../../../src/core/ambient.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type S3Server, startS3 } from '../../../objects/stores/s3-server.ts'
import { type Json, must, rest } from '../http/rest-client.ts'

export const COLUMNS = {
  type: 'struct',
  fields: [{ id: 1, name: 'n', required: false, type: 'long' }],
}
export const VENDED = { 'X-Iceberg-Access-Delegation': 'vended-credentials' }
export const SIGNING = { 'X-Iceberg-Access-Delegation': 'remote-signing' }

/** A store of S3 and a service in it, whose files engines get at. */
export interface EngineStore {
  readonly server: S3Server
  start(settings?: Record<string, string>, ambient?: Partial<Ambient>): Promise<TestService>
  stop(): Promise<void>
}

export async function openEngineStore(name: 'weed' | 'versitygw'): Promise<EngineStore> {
  const server = await startS3(name, { hasRoles: true })
  const home = await mkdtemp(join(tmpdir(), 'moraine-vending-'))
  const services: TestService[] = []
  return {
    server,
    start: async (settings = {}, ambient = {}) => {
      const own = await mkdtemp(join(home, 'home-'))
      const environment = {
        MORAINE_WAREHOUSE: `s3://${server.bucket}/${basename(own)}`,
        MORAINE_S3_ENDPOINT: server.endpoint,
        MORAINE_S3_CREDENTIALS: server.keysFile,
        MORAINE_VEND: 'on',
        ...settings,
      }
      const service = await startTestService({ home: own, environment, ambient })
      services.push(service)
      return service
    },
    stop: async () => {
      for (const service of services) await service.stop()
      await server.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

export async function createTable(
  service: TestService,
  name: string,
  {
    headers = {},
    ...more
  }: { readonly headers?: Record<string, string>; [member: string]: unknown } = {},
): Promise<Json> {
  await rest(service, '/namespaces', { json: { namespace: ['sky'] } })
  const json = { name, schema: COLUMNS, ...more }
  return must(rest(service, '/namespaces/sky/tables', { json, headers }))
}

export const loadTable = (service: TestService, name: string, headers = {}) =>
  rest(service, `/namespaces/sky/tables/${name}`, { headers })

/** A client of the store with what the catalog has given, and nothing else. */
export function clientOf(config: Json): S3Client {
  const sessionToken = config['s3.session-token']
  return new S3Client({
    endpoint: config['s3.endpoint'],
    region: config['s3.region'],
    forcePathStyle: config['s3.path-style-access'] === 'true',
    maxAttempts: 1,
    credentials: {
      accessKeyId: config['s3.access-key-id'],
      secretAccessKey: config['s3.secret-access-key'],
      ...(sessionToken !== undefined && { sessionToken }),
    },
  })
}

/** A location taken apart: `s3://bucket/folder/table`. */
export function placeOf(location: string): { readonly Bucket: string; readonly Key: string } {
  const [, Bucket = '', Key = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(location) ?? []
  return { Bucket, Key }
}
