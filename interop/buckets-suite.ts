import { join } from 'node:path'
import { type S3Server, startS3 } from '../test/objects/stores/s3-server.ts'
import { mustRun } from './command.ts'
import type { TestResult } from './junit-report.ts'
import { RESULTS, ROOT } from './places.ts'
import { runPytest } from './pyiceberg-suite.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 5 * 60 * 1000
const python = new PythonEnvironment({
  folder: 'buckets/.venv',
  requirements: 'buckets/requirements.txt',
})

/** Engines that have no keys of the store, and clients that follow links to it. */
export const bucketsSuite: Suite = {
  name: 'Engines and clients with a warehouse in a bucket',
  findObstacle: findPythonObstacle,
  install: async () => {
    await python.install()
    const log = join(RESULTS, 'buckets-install.log')
    const make = { program: 'make', args: ['stores'], cwd: ROOT, log, timeoutMs: TIMEOUT_MS }
    await mustRun('make stores', make)
  },
  run: async () => {
    const store = await startS3('weed', { hasRoles: true })
    try {
      return await runWith(store)
    } finally {
      await store.stop()
    }
  },
}

function runWith(store: S3Server): Promise<TestResult[]> {
  return runPytest({
    folder: 'buckets',
    python: python.python,
    settings: {
      MORAINE_WAREHOUSE: `s3://${store.bucket}/warehouse`,
      MORAINE_S3_ENDPOINT: store.endpoint,
      MORAINE_S3_CREDENTIALS: store.keysFile,
      MORAINE_VEND: 'on',
      MORAINE_S3_VEND_ROLE: store.role,
    },
    // Whatever the machine has: engines get keys from the catalog, or none.
    environment: {
      ...{ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' },
      ...{ AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_CONFIG_FILE: '/dev/null' },
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  })
}
