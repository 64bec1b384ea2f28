import { BucketLocations } from '../bucket/bucket-location.ts'
import { BucketStore, type BucketStoreOptions } from '../bucket/bucket-store.ts'
import { GcsBucketClient } from './gcs-client.ts'
import type { GcsOptions } from './gcs-connection.ts'

export const GCS_LOCATIONS = new BucketLocations(['gs'])

export type GcsStoreOptions = GcsOptions & Omit<BucketStoreOptions, 'client' | 'locations'>

/** Opens a store of `gs://` locations. */
export function openGcsStore(options: GcsStoreOptions): BucketStore {
  return new BucketStore({
    ...options,
    client: new GcsBucketClient(options),
    locations: GCS_LOCATIONS,
  })
}
