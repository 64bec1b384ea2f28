import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFakeGcs } from '../test/objects/stores/gcs-server.ts'
import { startS3 } from '../test/objects/stores/s3-server.ts'
import { whyNoStore } from '../test/objects/stores/store-program.ts'
import { startStsStandIn } from '../test/objects/stores/sts-stand-in.ts'
import { mustRun } from './command.ts'
import { skip } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'
import { RESULTS, ROOT } from './places.ts'
import { type Place, runPytest } from './pyiceberg-suite.ts'

const TIMEOUT_MS = 20 * 60 * 1000

/** Whatever the machine has: engines get keys from the catalog, or none. */
const NO_KEYS = {
  ...{ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' },
  ...{ AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_CONFIG_FILE: '/dev/null' },
  AWS_EC2_METADATA_DISABLED: 'true',
}

export async function installStores(): Promise<void> {
  const log = join(RESULTS, 'stores-install.log')
  // That of Google's needs minutes to be built; where it is not there, its tests are skipped.
  const target = process.env['INTEROP_ALL'] === '1' ? 'stores-all' : 'stores'
  const make = { program: 'make', args: [target], cwd: ROOT, log, timeoutMs: TIMEOUT_MS }
  await mustRun(`make ${target}`, make)
}

/** Runs the tests of a folder against a service that lends engines what its bucket of S3 takes. */
export async function runInS3(place: Place): Promise<TestResult[]> {
  const store = await startS3('weed', { hasRoles: true })
  try {
    return await runPytest({
      ...place,
      settings: {
        MORAINE_WAREHOUSE: `s3://${store.bucket}/warehouse`,
        MORAINE_S3_ENDPOINT: store.endpoint,
        MORAINE_S3_CREDENTIALS: store.keysFile,
        MORAINE_VEND: 'on',
        MORAINE_S3_VEND_ROLE: store.role,
      },
      environment: { ...place.environment, ...NO_KEYS, MORAINE_SCHEME: 's3' },
    })
  } finally {
    await store.stop()
  }
}

/**
 * The same in a bucket of Google Cloud Storage: the store lets nobody in but the service and those
 * whose tokens it has got bounded, each for what the boundary allows. Skipped by name where its
 * server was not built.
 */
export async function runInGcs(place: Place): Promise<TestResult[]> {
  const why = whyNoStore('fake-gcs-server')
  if (why !== undefined) return [skip(`${place.name ?? place.folder}#run`, why)]
  const issuer = await startStsStandIn()
  const store = await startFakeGcs({ issuer })
  const folder = mkdtempSync(join(tmpdir(), 'moraine-interop-gcs-'))
  const keys = join(folder, 'credentials.json')
  const subject = join(folder, 'subject')
  writeFileSync(subject, 'a-text-of-the-machine')
  writeFileSync(keys, JSON.stringify(issuer.credentialsFor(subject)))
  try {
    return await runPytest({
      ...place,
      settings: {
        MORAINE_WAREHOUSE: `gs://${store.bucket}/warehouse`,
        MORAINE_GCS_ENDPOINT: store.endpoint,
        MORAINE_GCS_ENDPOINT_AUTH: 'on',
        MORAINE_GCS_CREDENTIALS: keys,
        MORAINE_GCS_STS_ENDPOINT: issuer.endpoint,
        MORAINE_VEND: 'on',
      },
      environment: { ...place.environment, ...NO_KEYS, MORAINE_SCHEME: 'gs' },
    })
  } finally {
    await store.stop()
    await issuer.stop()
    rmSync(folder, { recursive: true })
  }
}
