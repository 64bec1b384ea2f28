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
  /** Who reads and who writes, where the store tells them apart. */
  readonly accounts?: { readonly reads: string; readonly writes: string }
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
  const { scheme, bucket, endpoint, settings, accounts, stop } = server
  const warehouseFor = (home: string) => `${scheme}://${bucket}/${basename(home)}`
  return {
    ...{ scheme, bucket, endpoint, warehouseFor, stop },
    ...(accounts !== undefined && { accounts }),
    ...('crash' in server && { crash: server.crash }),
    settingsFor: (home) => ({ MORAINE_WAREHOUSE: warehouseFor(home), ...settings }),
  }
}

/** Each account may do what is its own only: a read by the one that writes is refused. */
async function openGcs() {
  const { endpoint, bucket, keyFile, readKeyFile, accounts, stop } = await startFakeGcs({
    checksTokens: true,
  })
  const settings = {
    MORAINE_GCS_ENDPOINT: endpoint,
    MORAINE_GCS_ENDPOINT_AUTH: 'on',
    MORAINE_GCS_CREDENTIALS: keyFile,
    MORAINE_GCS_CREDENTIALS_RO: readKeyFile,
  }
  return { scheme: 'gs', bucket, endpoint, settings, accounts, stop } as const
}

async function openS3(name: 'weed' | 'versitygw') {
  const { endpoint, bucket, keysFile, crash, stop, ...keys } = await startS3(name)
  const settings = {
    MORAINE_S3_ENDPOINT: endpoint,
    MORAINE_S3_CREDENTIALS: keysFile,
    MORAINE_S3_CREDENTIALS_RO: `${keysFile}#reader`,
  }
  const reads = keys.readCredentials.accessKeyId
  const writes = keys.writeCredentials.accessKeyId
  const accounts = reads === writes ? undefined : { reads, writes }
  return { scheme: 's3', bucket, endpoint, settings, accounts, crash, stop } as const
}
