import { join } from 'node:path'
import { installStores, runInGcs, runInS3 } from './bucket-place.ts'
import { findMavenObstacle, installJars } from './maven.ts'
import { INTEROP } from './places.ts'
import { runPytestWithProvider } from './provider-suite.ts'
import { runPytest } from './pyiceberg-suite.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const python = new PythonEnvironment({
  folder: 'spark/.venv',
  requirements: 'spark/requirements.txt',
})

/** A hundred statements of Spark take a minute where nothing else runs. */
const TIMEOUT_MS = 60 * 60 * 1000

const PLACE = {
  python: python.python,
  timeoutMs: TIMEOUT_MS,
  environment: { SPARK_JARS_FOLDER: join(INTEROP, 'spark', 'lib') },
}

export const sparkSuite: Suite = {
  name: 'Spark 3.5 with Iceberg 1.11.0',
  findObstacle: () => {
    if (process.env['INTEROP_ALL'] !== '1') {
      return 'downloads 500 MB; `make interop-all` runs it'
    }
    return findPythonObstacle() ?? findMavenObstacle()
  },
  install: async () => {
    await python.install()
    await installJars('spark')
    await installStores()
  },
  run: async () => [
    ...(await runPytest({ ...PLACE, folder: 'spark' })),
    ...(await runPytest({ ...PLACE, folder: 'spark-keys', asksForKeys: true })),
    ...(await runPytestWithProvider({ ...PLACE, folder: 'spark-oidc' })),
    ...(await runInS3({ ...PLACE, folder: 'spark-buckets', name: 'spark-s3' })),
    ...(await runInGcs({ ...PLACE, folder: 'spark-buckets', name: 'spark-gcs' })),
  ],
}
