import { installStores, runInGcs, runInS3 } from './bucket-place.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const python = new PythonEnvironment({
  folder: 'buckets/.venv',
  requirements: 'buckets/requirements.txt',
})
const PLACE = { folder: 'buckets', python: python.python }

/** As docs/buckets.md tells whoever uses gcsfs with an address of its own. */
const PLAIN_GCSFS = {
  FETCH_RAW_TOKEN_EXPIRY: 'false',
  GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT: 'false',
}

/** Engines that have no keys of the store, and clients that follow links to it. */
export const bucketsSuite: Suite = {
  name: 'Engines and clients with a warehouse in a bucket',
  findObstacle: findPythonObstacle,
  install: async () => {
    await python.install()
    await installStores()
  },
  run: async () => [
    ...(await runInS3(PLACE)),
    ...(await runInGcs({
      ...{ ...PLACE, name: 'buckets-gcs', args: () => ['test_vended.py'] },
      environment: PLAIN_GCSFS,
    })),
  ],
}
