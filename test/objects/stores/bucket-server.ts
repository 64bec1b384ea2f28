import { basename } from 'node:path'
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
  const server = name === 'gcs' ? await openGcs() : await openS3(name)
  const { scheme, bucket, endpoint, settings, stop } = server
  const warehouseFor = (home: string) => `${scheme}://${bucket}/${basename(home)}`
  return {
    ...{ scheme, bucket, endpoint, warehouseFor, stop },
    ...('crash' in server && { crash: server.crash }),
    settingsFor: (home) => ({ MORAINE_WAREHOUSE: warehouseFor(home), ...settings }),
  }
}

async function openGcs() {
  const { endpoint, bucket, keyFile, stop } = await startFakeGcs()
  const settings = { MORAINE_GCS_ENDPOINT: endpoint, MORAINE_GCS_CREDENTIALS: keyFile }
  return { scheme: 'gs', bucket, endpoint, settings, stop } as const
}

async function openS3(name: 'weed' | 'versitygw') {
  const { endpoint, bucket, keysFile, crash, stop } = await startS3(name)
  const settings = {
    MORAINE_S3_ENDPOINT: endpoint,
    MORAINE_S3_CREDENTIALS: keysFile,
    MORAINE_S3_CREDENTIALS_RO: `${keysFile}#reader`,
  }
  return { scheme: 's3', bucket, endpoint, settings, crash, stop } as const
}
