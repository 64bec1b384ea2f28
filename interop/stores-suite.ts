import { join } from 'node:path'
import { hasTool, mustRun } from './command.ts'
import { runJest } from './jest-report.ts'
import { RESULTS, ROOT } from './places.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 20 * 60 * 1000

/** Their warehouse in a bucket: what no test looks at as local files. */
const WITH_WAREHOUSE = [
  ...['files/transaction-routes', 'files/upload', 'files/hive-layouts', 'tables/table-routes'],
  ...['dumps/dump-evolution', 'dumps/dump-hive', 'dumps/dump-parquet', 'dumps/http/dump.test'],
  ...['dumps/http/dump-editions', 'dumps/http/dump-clients', 'dumps/http/ckan-formats'],
  ...['iceberg-rest/http/plan-pages', 'iceberg-rest/http/rest-plan'],
  ...['files/types-of-uploads', 'files/text-bodies', 'rows/', 'datasets/'],
].map((path) => `test/modules/${path}`)
const STORM_SECONDS = '60'

/** The tests of buckets on every server of them, of which CI has one. */
export const storesSuite: Suite = {
  name: 'Bucket stores',
  findObstacle: () => {
    if (process.env['INTEROP_ALL'] !== '1') return 'builds servers; `make interop-all` runs it'
    return hasTool('go', 'version') ? undefined : 'go is not installed'
  },
  install: async () => {
    const log = join(RESULTS, 'stores-install.log')
    const make = { program: 'make', args: ['stores-all'], cwd: ROOT, log, timeoutMs: TIMEOUT_MS }
    await mustRun('make stores-all', make)
  },
  run: async () => {
    const whole = { folder: ROOT.replace(/\/$/, ''), timeoutMs: TIMEOUT_MS }
    const files = ['test/objects/s3/', 'test/objects/gcs/', 'bucket-warehouse', 'store-away']
    const results = await runJest({ ...whole, label: 'stores', tiers: ['lake', 'service'], files })
    const storm = { label: 'store-storm', tiers: ['storm'], files: ['test/objects/store-storm'] }
    const environment = { TEST_STORM_SECONDS: STORM_SECONDS }
    results.push(...(await runJest({ ...whole, ...storm, environment })))
    for (const store of ['s3', 'gcs']) {
      const suite = { label: `http-${store}`, tiers: ['service'], files: WITH_WAREHOUSE }
      results.push(...(await runJest({ ...whole, ...suite, environment: { TEST_STORE: store } })))
    }
    return results
  },
}
