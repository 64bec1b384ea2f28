import { type BucketServer, openBucketServer, type StoreName } from './bucket-server.ts'

const NAMES: Readonly<Record<string, StoreName>> = { s3: 'weed', gcs: 'gcs' }

/** Where tests have their warehouse: `TEST_STORE` is s3, gcs, or not set for a folder. */
const name = process.env['TEST_STORE'] ?? ''
if (name !== '' && NAMES[name] === undefined) {
  throw new Error(`TEST_STORE is ${name}: it can be ${Object.keys(NAMES).join(' or ')}`)
}

let opening: Promise<BucketServer> | undefined

/** Whether warehouses of tests are folders, whose files tests may look at and damage. */
export const isInFolder = name === ''

/** `test` where the warehouse is a folder; in a bucket it is skipped by its name. */
export const testOfFiles = isInFolder ? test : test.skip

/**
 * Settings of a service whose warehouse is in the store that is tested; one server a test file.
 * The service sends the dumps itself, as it does from a folder: links to them have tests of their
 * own, on each store.
 */
export async function storeSettings(home: string): Promise<Record<string, string>> {
  const store = NAMES[name]
  if (store === undefined) return {}
  opening ??= openBucketServer(store)
  return { ...(await opening).settingsFor(home), MORAINE_LINK_EXPIRY_HOURS: '0' }
}

if (!isInFolder) afterAll(async () => (await opening)?.stop())
