import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { startS3 } from '../test/objects/stores/s3-server.ts'
import { whyNoStore } from '../test/objects/stores/store-program.ts'

const SERVERS = ['weed', 'versitygw'] as const
type ServerName = (typeof SERVERS)[number]
const UPLOADS_AT_ONCE = 16

/** A bucket of a real server on this machine. */
export interface BenchBucket {
  readonly server: ServerName
  readonly endpoint: string
  /** `s3://...`, a folder of its own for this name. */
  folder(name: string): string
  /** Settings of a service with its warehouse in that folder, and all of the bucket to read. */
  settings(name: string, endpoint: string): Record<string, string>
  put(locations: readonly string[], bytes: Uint8Array): Promise<void>
  stop(): Promise<void>
}

/** Opens the first of these servers that is installed, or returns why there is none. */
export async function openBenchBucket(
  servers: readonly ServerName[] = SERVERS,
): Promise<BenchBucket | string> {
  const server = servers.find((name) => whyNoStore(name) === undefined)
  if (server === undefined) return `${whyNoStore(servers[0] ?? 'weed')}`
  const { endpoint, region, bucket, writeCredentials, keysFile, stop } = await startS3(server)
  const client = new S3Client({
    ...{ endpoint, region, forcePathStyle: true, credentials: writeCredentials },
  })
  const root = `s3://${bucket}`
  return {
    ...{ server, endpoint, folder: (name) => `${root}/${name}` },
    settings: (name, at) => ({
      MORAINE_WAREHOUSE: `${root}/${name}`,
      MORAINE_ALLOWED_LOCATIONS: `${root}/lake`,
      MORAINE_S3_ENDPOINT: at,
      MORAINE_S3_REGION: region,
      MORAINE_S3_CREDENTIALS: keysFile,
    }),
    put: async (locations, Body) => {
      const left = locations.map((location) => location.slice(root.length + 1))
      const work = async () => {
        for (let Key = left.pop(); Key !== undefined; Key = left.pop()) {
          await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
        }
      }
      await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, work))
    },
    stop: async () => {
      client.destroy()
      await stop()
    },
  }
}
