import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = new URL('./', import.meta.url)
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
const rules = files.filter(
  (file) =>
    /^(core|formats)\/.*\.test\.ts$/.test(file) && !/\.(oracle|storm)\.test\.ts$/.test(file),
)

/**
 * Processes, threads, sockets, databases and temporary folders, and the programs that bring them.
 */
const MACHINERY = new RegExp(
  [
    "node:(child_process|worker_threads|net|http)'",
    ...['mkdtemp', 'better-sqlite3', '@duckdb/node-api', 'parquet-wasm'],
  ].join('|'),
)

/** A file and all that it imports of this project; types need nothing to run. */
function* reachable(file: URL, seen = new Set<string>()): Generator<URL> {
  if (seen.has(file.href)) return
  seen.add(file.href)
  yield file
  for (const [, types, path = ''] of read(file).matchAll(IMPORT)) {
    if (types === undefined) yield* reachable(new URL(path, file), seen)
  }
}

const IMPORT = /^(?:import|export) (type )?(?:[^'";]+? from )?'(\.{1,2}\/[^']+\.ts)'/gm

function read(file: URL): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

test('tests of rules start nothing and write nothing', () => {
  expect(rules.length).toBeGreaterThan(40)
  const wrong = rules.flatMap((file) => {
    const culprit = [...reachable(new URL(file, here))].find((url) => MACHINERY.test(read(url)))
    return culprit === undefined ? [] : [`${file} by ${fileURLToPath(culprit)}`]
  })
  expect(wrong).toEqual([])
})

test('no test hides from the tiers behind its name', () => {
  const strays = files.filter((file) => /\.(spec|tests?)\.[cm]?[jt]sx?$/.test(file))
  expect(
    strays.filter((file) => !/^[\w/-]+(\.(oracle|property|storm))?\.test\.ts$/.test(file)),
  ).toEqual([])
})
