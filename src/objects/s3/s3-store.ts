import { BucketLocations } from '../bucket/bucket-location.ts'
import { BucketStore, type BucketStoreOptions } from '../bucket/bucket-store.ts'
import { S3BucketClient } from './s3-client.ts'
import type { S3Options } from './s3-connection.ts'

/** Hadoop's names of S3, in tables that people bring. */
export const S3_LOCATIONS = new BucketLocations(['s3', 's3a', 's3n'])

export type S3StoreOptions = S3Options & Omit<BucketStoreOptions, 'client' | 'locations'>

/** Opens a store of `s3://` locations. */
export function openS3Store(options: S3StoreOptions): BucketStore {
  return new BucketStore({
    ...options,
    client: new S3BucketClient(options),
    locations: S3_LOCATIONS,
  })
}
