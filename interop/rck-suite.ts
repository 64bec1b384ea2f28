import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mustRun, runCommand } from './command.ts'
import { failure, judgeByList, parseExpectedFailures } from './expected-failures.ts'
import { parseJunitReport, type TestResult } from './junit-report.ts'
import { findMavenObstacle, installJars } from './maven.ts'
import { INTEROP, RESULTS } from './places.ts'
import { startTestedService } from './service.ts'
import type { Suite } from './suite.ts'

const RUN_TIMEOUT_MS = 6 * 60 * 1000
/** 101 table and 50 view tests; six more are repetitions with another format version. */
const TESTS_IN_KIT = 157
const KIT_PACKAGE = 'org.apache.iceberg.rest'
const KIT_CLASSES = ['RESTCompatibilityKitCatalogTests', 'RESTCompatibilityKitViewCatalogTests']
/** What the kit leaves out on every server, without a switch: see rck/*.java. */
const EXTRA_CLASS = 'NestedAndSlashedNamesTests'
/** Runs before each test, found by its name in a file (Java's `ServiceLoader`). */
const EXTENSION_CLASS = 'FolderRemoval'
const EXTENSIONS_FILE = 'META-INF/services/org.junit.jupiter.api.extension.Extension'
const EXTRA_TESTS = [
  'testListNestedNamespaces',
  'testDropNamespaceWithNestedNamespace',
  'testNamespaceWithSlash',
  'testTableNameWithSlash',
]
/** The kit creates tables at `file:/tmp/<namespace>/<table>`, verbatim. */
const KIT_WAREHOUSE = '/tmp'
/** Those of its namespaces. */
const KIT_FOLDERS = [
  ...['a', 'newdb', 'new.db', 'new%2Edb', 'ns', 'ns1', 'ns2', 'ns_1', 'ns_2'],
  ...['other_ns', 'non-existing', 'parent'],
]
/** Where its data files are said to be, of which there are none. */
const KIT_DATA_FOLDER = '/path/to'

const folder = join(INTEROP, 'rck')

export const rckSuite: Suite = {
  name: 'Iceberg REST Compatibility Kit 1.11.0',
  findObstacle: findMavenObstacle,
  install: async () => {
    await installJars('rck')
    await compileExtra()
  },
  run: async () => {
    const before = new Set(readdirSync(KIT_WAREHOUSE))
    try {
      const folders = KIT_FOLDERS.filter((name) => !before.has(name))
      const kit = await runClasses('rck', KIT_CLASSES.map(selectClass), folders)
      const extra = await runClasses('rck-extra', EXTRA_TESTS.map(selectExtraTest), folders)
      return judge(takeExtra(kit, extra))
    } finally {
      removeNewFolders(before)
    }
  },
}

async function compileExtra(): Promise<void> {
  const sources = [EXTRA_CLASS, EXTENSION_CLASS].map((name) => join(folder, `${name}.java`))
  const args = ['-cp', 'lib/*', '-d', 'lib/classes', ...sources]
  const log = join(RESULTS, 'rck-javac.log')
  await mustRun('javac', { program: 'javac', args, cwd: folder, log, timeoutMs: 120_000 })
  const services = join(folder, 'lib/classes', EXTENSIONS_FILE)
  mkdirSync(dirname(services), { recursive: true })
  writeFileSync(services, `${KIT_PACKAGE}.${EXTENSION_CLASS}\n`)
}

/** Each run has its own service: the kit wants an empty catalog. */
async function runClasses(
  name: string,
  selection: readonly string[],
  folders: readonly string[],
): Promise<TestResult[]> {
  const service = await startTestedService({
    ...{ name, warehouse: KIT_WAREHOUSE, allowedFolder: KIT_DATA_FOLDER },
    adoptsWarehouse: true,
  })
  try {
    const reports = join(RESULTS, `${name}-reports`)
    rmSync(reports, { recursive: true, force: true })
    const log = join(RESULTS, `${name}.log`)
    const args = kitArguments(`${service.url}/iceberg`, folders, [
      ...selection,
      `--reports-dir=${reports}`,
    ])
    const command = { program: 'java', args, cwd: folder, log, timeoutMs: RUN_TIMEOUT_MS }
    const code = await runCommand(command)
    const report = join(reports, 'TEST-junit-jupiter.xml')
    if (!existsSync(report))
      return [failure(`${name}#run`, `no report, ended with ${code}: ${log}`)]
    return parseJunitReport(readFileSync(report, 'utf8'))
  } finally {
    await service.stop()
  }
}

function judge(results: readonly TestResult[]): TestResult[] {
  const list = readFileSync(join(folder, 'expected-failures.txt'), 'utf8')
  const judged = judgeByList(results, parseExpectedFailures(list))
  if (results.length === TESTS_IN_KIT) return judged
  return [...judged, failure('rck#count', `${results.length} tests instead of ${TESTS_IN_KIT}`)]
}

function selectClass(name: string): string {
  return `--select-class=${KIT_PACKAGE}.${name}`
}

function selectExtraTest(test: string): string {
  return `--select-method=${KIT_PACKAGE}.${EXTRA_CLASS}#${test}`
}

function kitArguments(
  uri: string,
  folders: readonly string[],
  selection: readonly string[],
): string[] {
  return [
    ...['-cp', 'lib/classes:lib/*'],
    // Only Gradle strips the prefix `rck.`: these two go without.
    ...[`-Duri=${uri}`, '-Drck.local=false'],
    '-Drck.requires-namespace-create=true',
    '-Drck.supports-serverside-retry=true',
    '-Drck.overrides-requested-location=false',
    '-Drck.supports-names-with-dot=true',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Djunit.jupiter.extensions.autodetection.enabled=true',
    `-Dmoraine.folders=${folders.map((name) => join(KIT_WAREHOUSE, name)).join(',')}`,
    ...['org.junit.platform.console.ConsoleLauncher', 'execute', '--disable-banner'],
    ...['--details=summary', ...selection],
  ]
}

/** An extra test stands for one that the kit leaves out. */
function takeExtra(kit: readonly TestResult[], extra: readonly TestResult[]): TestResult[] {
  const testOf = ({ name }: TestResult) => name.slice(name.indexOf('#'))
  const leftOut = kit.filter(({ outcome }) => outcome === 'skipped').map(testOf)
  const unknown = extra.filter((result) => !leftOut.includes(testOf(result)))
  const stands = new Map(extra.map((result) => [testOf(result), result]))
  const merged = kit.map((result) => {
    const stand = result.outcome === 'skipped' ? stands.get(testOf(result)) : undefined
    return stand === undefined ? result : { ...stand, name: result.name }
  })
  return [...merged, ...unknown]
}

/** The kit's folders only: those named like its namespaces that did not exist before. */
function removeNewFolders(before: ReadonlySet<string>): void {
  // Default locations, the folder of dumps, and the mark of the warehouse.
  const isOfService = /^(\.dumps|[0-9a-f]{2}|\.moraine-warehouse\.json)$/
  for (const name of readdirSync(KIT_WAREHOUSE)) {
    if (before.has(name) || !(KIT_FOLDERS.includes(name) || isOfService.test(name))) continue
    rmSync(join(KIT_WAREHOUSE, name), { recursive: true, force: true })
  }
}
