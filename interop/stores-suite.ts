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
/** The first of each is what all tests have. Crashes on all of them are among the long storms. */
const CATALOGS = ['', 'postgres']
const STORES = ['', 's3', 'gcs']
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
    for (const catalog of CATALOGS) {
      const here = catalog === '' ? {} : { TEST_CATALOG: catalog }
      const storm = { tiers: ['storm'], files: ['test/objects/store-storm'] }
      const label = `store-storm-${catalog || 'sqlite'}`
      const environment = { ...here, TEST_STORM_SECONDS: STORM_SECONDS }
      results.push(...(await runJest({ ...whole, ...storm, label, environment })))
      for (const store of STORES) {
        // SQLite and a folder are what all tests have without a word.
        if (catalog + store === '') continue
        const suite = { tiers: ['service'], files: WITH_WAREHOUSE }
        const label = `http-${catalog || 'sqlite'}-${store || 'folder'}`
        const environment = { ...here, ...(store !== '' && { TEST_STORE: store }) }
        results.push(...(await runJest({ ...whole, ...suite, label, environment })))
      }
    }
    return results
  },
}
