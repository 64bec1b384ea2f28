import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { startFakeGcs } from './gcs-server.ts'
import { startS3 } from './s3-server.ts'
import { whyNoStore } from './store-program.ts'

const STORES = { weed: 'weed', versitygw: 'versitygw', gcs: 'fake-gcs-server' } as const
export type StoreName = keyof typeof STORES

/** A store with a bucket, as a service is told of it. */
export interface BucketServer {
  readonly scheme: 's3' | 'gs'
  readonly bucket: string
  readonly endpoint: string
  warehouseFor(home: string): string
  /** Settings of a service in this home: its warehouse is in the bucket. */
  settingsFor(home: string): Record<string, string>
  /** SIGKILL, and a start with the same data and address; the one in memory cannot. */
  crash?(pauseMs: number): Promise<void>
  stop(): Promise<void>
}

/** Every kind of store, and why one cannot be had here. */
export function storesHere(): readonly { readonly name: StoreName; readonly why?: string }[] {
  return (Object.keys(STORES) as StoreName[]).map((name) => {
    const why = whyNoStore(STORES[name])
    return why === undefined ? { name } : { name, why }
  })
}

export async function openBucketServer(name: StoreName): Promise<BucketServer> {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-keys-'))
  const server = name === 'gcs' ? await openGcs() : await openS3(name, folder)
  const { scheme, bucket, endpoint, settings, stop } = server
  const warehouseFor = (home: string) => `${scheme}://${bucket}/${basename(home)}`
  return {
    ...{ scheme, bucket, endpoint, warehouseFor },
    ...('crash' in server && { crash: server.crash }),
    settingsFor: (home) => ({ MORAINE_WAREHOUSE: warehouseFor(home), ...settings }),
    stop: async () => {
      await stop()
      rmSync(folder, { recursive: true })
    },
  }
}

async function openGcs() {
  const { endpoint, bucket, keyFile, stop } = await startFakeGcs()
  const settings = { MORAINE_GCS_ENDPOINT: endpoint, MORAINE_GCS_CREDENTIALS: keyFile }
  return { scheme: 'gs', bucket, endpoint, settings, stop } as const
}

async function openS3(name: 'weed' | 'versitygw', folder: string) {
  const { endpoint, bucket, readCredentials, writeCredentials, ...server } = await startS3(name)
  const { crash, stop } = server
  const file = join(folder, 'credentials')
  const profiles = Object.entries({ default: writeCredentials, reader: readCredentials })
  const lines = profiles.flatMap(([profile, { accessKeyId, secretAccessKey }]) => [
    `[${profile}]`,
    `aws_access_key_id=${accessKeyId}`,
    `aws_secret_access_key=${secretAccessKey}`,
  ])
  writeFileSync(file, lines.join('\n'), { mode: 0o600 })
  const settings = {
    MORAINE_S3_ENDPOINT: endpoint,
    MORAINE_S3_CREDENTIALS: file,
    MORAINE_S3_CREDENTIALS_RO: `${file}#reader`,
  }
  return { scheme: 's3', bucket, endpoint, settings, crash, stop } as const
}
