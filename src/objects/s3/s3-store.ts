import { BucketLocations } from '../bucket/bucket-location.ts'
import { BucketStore, type BucketStoreOptions } from '../bucket/bucket-store.ts'
import { S3BucketClient, type S3Options } from './s3-client.ts'

/** Hadoop's names of S3, in tables that people bring. */
const LOCATIONS = new BucketLocations(['s3', 's3a', 's3n'])

export type S3StoreOptions = S3Options & Omit<BucketStoreOptions, 'client' | 'locations'>

/** Opens a store of `s3://` locations. */
export function openS3Store(options: S3StoreOptions): BucketStore {
  return new BucketStore({ ...options, client: new S3BucketClient(options), locations: LOCATIONS })
}
