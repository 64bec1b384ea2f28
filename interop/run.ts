/** `make interop`: other people's clients against the built service. The last line is the count. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { bucketsSuite } from './buckets-suite.ts'
import { endRunningCommands } from './command.ts'
import { duckdbSuite } from './duckdb-suite.ts'
import { failure, missing } from './expected-failures.ts'
import { goSuite } from './go-suite.ts'
import { imageSuite } from './image-suite.ts'
import type { Outcome, TestResult } from './junit-report.ts'
import { keycloakSuite } from './keycloak-suite.ts'
import { nodeSuite } from './node-suite.ts'
import { RESULTS, ROOT } from './places.ts'
import { pyicebergProviderSuite } from './provider-suite.ts'
import { pyicebergIntegrationSuite, pyicebergOwnSuite } from './pyiceberg-own-suite.ts'
import { pyicebergKeysSuite, pyicebergSuite } from './pyiceberg-suite.ts'
import { rckSuite } from './rck-suite.ts'
import { readersSuite } from './readers-suite.ts'
import { ruffSuite } from './ruff-suite.ts'
import { rustSuite } from './rust-suite.ts'
import { sparkSuite } from './spark-suite.ts'
import { storesSuite } from './stores-suite.ts'
import { stormSuite } from './storm-suite.ts'
import type { Suite } from './suite.ts'

const SUITES: Readonly<Record<string, Suite>> = {
  ruff: ruffSuite,
  pyiceberg: pyicebergSuite,
  'pyiceberg-keys': pyicebergKeysSuite,
  'pyiceberg-oidc': pyicebergProviderSuite,
  'pyiceberg-own': pyicebergOwnSuite,
  'pyiceberg-integration': pyicebergIntegrationSuite,
  'duckdb-1.4': duckdbSuite('1.4'),
  'duckdb-1.5': duckdbSuite('1.5'),
  buckets: bucketsSuite,
  readers: readersSuite,
  go: goSuite,
  rck: rckSuite,
  image: imageSuite,
  node22: nodeSuite(22),
  node24: nodeSuite(24),
  keycloak: keycloakSuite,
  spark: sparkSuite,
  rust: rustSuite,
  stores: storesSuite,
  storms: stormSuite,
}

async function main(names: readonly string[]): Promise<void> {
  mkdirSync(RESULTS, { recursive: true })
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
  const results: TestResult[] = []
  for (const name of names) {
    const suite = SUITES[name]
    if (suite === undefined) throw new Error(`no suite '${name}': ${Object.keys(SUITES)}`)
    results.push(...(await runSuite(suite)))
  }
  const failed = count(results, 'failed')
  console.log(tally(results))
  process.exitCode = failed === 0 ? 0 : 1
}

async function runSuite(suite: Suite): Promise<TestResult[]> {
  console.log(`\n# ${suite.name}`)
  const obstacle = suite.findObstacle()
  const startedAt = performance.now()
  const isRequired = process.env['INTEROP_REQUIRED'] === '1'
  const results =
    obstacle === undefined
      ? await installAndRun(suite)
      : [missing(suite.name, obstacle, { isRequired })]
  for (const { name, outcome, reason } of results) {
    if (outcome !== 'passed') console.log(`${outcome}  ${name}: ${reason}`)
  }
  console.log(`${tally(results)}, ${Math.round((performance.now() - startedAt) / 1000)} s`)
  return results
}

async function installAndRun(suite: Suite): Promise<TestResult[]> {
  try {
    await suite.install()
    return await suite.run()
  } catch (error) {
    return [failure(suite.name, error instanceof Error ? error.message : String(error))]
  }
}

function tally(results: readonly TestResult[]): string {
  const outcomes: readonly Outcome[] = ['passed', 'failed', 'skipped']
  return outcomes.map((outcome) => `${count(results, outcome)} ${outcome}`).join(', ')
}

function count(results: readonly TestResult[], outcome: Outcome): number {
  return results.filter((result) => result.outcome === outcome).length
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endRunningCommands()
    process.exit(1)
  })
}
const chosen = process.argv.slice(2)
await main(chosen.length > 0 ? chosen : Object.keys(SUITES))
