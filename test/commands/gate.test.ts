import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { RESULTS } from '../../interop/places.ts'
import { readersSuite } from '../../interop/readers-suite.ts'

/** The gate itself: what CI takes for passed, with targets and tools that are not the real ones. */

const ROOT = new URL('../../', import.meta.url).pathname
const NODE = dirname(process.execPath)

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-gate-')))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function put(path: string, text: string): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode: 0o755 })
  return file
}

/** A program in place of the one of this name. */
const tool = (name: string, script: string) => put(`bin/${name}`, `#!/bin/bash\n${script}\n`)

function run(program: string, args: readonly string[], environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    ...{ cwd: folder, encoding: 'utf8' },
    env: { HOME: folder, PATH: `${folder}/bin:${NODE}:/usr/bin:/bin`, ...environment },
  })
  return { status, stderr, lines: stdout.trimEnd().split('\n') }
}

describe('.ci/run', () => {
  /** What each target prints and how it ends, as lines of a shell. */
  function gate(targets: { readonly test: string; readonly interop: string }) {
    mkdirSync(join(folder, '.ci'))
    cpSync(join(ROOT, '.ci/run'), join(folder, '.ci/run'))
    tool('make', `case $1 in test) ${targets.test};; interop) ${targets.interop};; esac`)
    const { status, lines } = run(join(folder, '.ci/run'), [])
    return [status, lines.at(-1)]
  }
  const GOOD = 'echo 7 passed, 0 failed, 1 skipped'

  test('sums up both targets, and passes if both have', () => {
    const interop = 'echo 2 passed, 0 failed, 3 skipped'
    expect(gate({ test: GOOD, interop })).toEqual([0, '9 passed, 0 failed, 4 skipped'])
  })

  test.each([
    ['exits 0 without its counts', 'echo all is well', '7 passed, 1 failed, 1 skipped'],
    ['prints nothing at all', 'true', '7 passed, 1 failed, 1 skipped'],
    ['fails without its counts', 'exit 3', '7 passed, 1 failed, 1 skipped'],
    ['prints more after its counts', `${GOOD}; echo but`, '7 passed, 1 failed, 1 skipped'],
    ['counts none and exits 2', `${GOOD}; exit 2`, '14 passed, 1 failed, 2 skipped'],
    [
      'has failures',
      'echo 5 passed, 2 failed, 0 skipped; exit 1',
      '12 passed, 2 failed, 1 skipped',
    ],
    [
      'has failures and exits 0',
      'echo 5 passed, 2 failed, 0 skipped',
      '12 passed, 2 failed, 1 skipped',
    ],
  ])('fails if a target %s', (_what, target, counts) => {
    expect(gate({ test: target, interop: GOOD })).toEqual([1, counts])
    return rm(join(folder, '.ci'), { recursive: true }).then(() =>
      expect(gate({ test: GOOD, interop: target })).toEqual([1, counts]),
    )
  })

  test('runs the second target after the first has failed', () => {
    const test = 'echo 0 passed, 1 failed, 0 skipped; exit 1'
    expect(gate({ test, interop: GOOD })).toEqual([1, '7 passed, 1 failed, 1 skipped'])
  })

  test('asks for the tools that suites need', () => {
    const required = '[ "$INTEROP_REQUIRED" = 1 ] && echo 1 passed, 0 failed, 0 skipped'
    expect(gate({ test: required, interop: required })).toEqual([
      0,
      '2 passed, 0 failed, 0 skipped',
    ])
  })
})

describe('make test', () => {
  const COUNTS = {
    ...{ numPassedTests: 5, numFailedTests: 0, numRuntimeErrorTestSuites: 0 },
    ...{ numPendingTests: 1, numTodoTests: 0, testResults: [] },
  }

  /** `jest` is what stands for it, as lines of a shell; `$report` is the file of its result. */
  function makeTest(jest: string) {
    cpSync(join(ROOT, 'Makefile'), join(folder, 'Makefile'))
    for (const file of ['package.json', 'package-lock.json']) put(file, '{}')
    mkdirSync(join(folder, 'node_modules'))
    for (const name of ['tsx', 'esbuild', '@esbuild', 'get-tsconfig', 'resolve-pkg-maps']) {
      const from = join(ROOT, 'node_modules', name)
      if (existsSync(from)) symlinkSync(from, join(folder, 'node_modules', name))
    }
    put('node_modules/.installed', '')
    put('.stores/bin/weed', '')
    tool('npm', `report=coverage/jest.json; case "$*" in *test:all*) ${jest};; esac`)
    const print = join(ROOT, 'scripts/print-test-counts.ts')
    tool('npx', `[ "$1" = tsx ] && exec node --import tsx '${print}' "$3"`)
    const { status, lines } = run('make', ['--silent', 'test'])
    return [status, lines.at(-1)]
  }
  const report = (more: object = {}) => `echo '${JSON.stringify({ ...COUNTS, ...more })}' > $report`

  test('ends with the counts of Jest', () => {
    expect(makeTest(report())).toEqual([0, '5 passed, 0 failed, 1 skipped'])
  })

  test('fails as Jest does, whatever it has counted', () => {
    expect(makeTest(`${report()}; exit 1`)).toEqual([2, '5 passed, 0 failed, 1 skipped'])
  })

  test('counts a file of tests that does not load as a failure', () => {
    const jest = `${report({ numRuntimeErrorTestSuites: 2 })}; exit 1`
    expect(makeTest(jest)).toEqual([2, '5 passed, 2 failed, 1 skipped'])
  })

  test.each(['exit 1', 'exit 0'])('fails without counts if Jest does not start: %s', (jest) => {
    put('coverage/jest.json', JSON.stringify(COUNTS))
    const [status, last] = makeTest(jest)
    expect(status).not.toBe(0)
    expect(last).not.toMatch(/passed/)
  })

  test('goes no further than a fault of style, types or layers', () => {
    put('coverage/jest.json', JSON.stringify(COUNTS))
    const [status, last] = makeTest(`${report()};; *lint*) exit 1`)
    expect([status, last]).toEqual([2, ''])
  })
})

describe('make interop', () => {
  /** With no tool but Node's. */
  function interop(required: Record<string, string>, ...suites: readonly string[]) {
    tool('npm', 'true')
    const { status, lines } = run(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), join(ROOT, 'interop/run.ts'), ...suites],
      { PATH: join(folder, 'bin'), ...required },
    )
    return [status, lines.at(-1)]
  }
  const NEED_TOOLS = ['pyiceberg', 'readers', 'duckdb-1.5', 'rck', 'go']

  test('skips what this machine has no tools for, by name', () => {
    expect(interop({}, ...NEED_TOOLS)).toEqual([0, '0 passed, 0 failed, 5 skipped'])
  })

  test('fails for each of them where they are required, as in CI', () => {
    const required = { INTEROP_REQUIRED: '1' }
    expect(interop(required, ...NEED_TOOLS)).toEqual([1, '0 passed, 5 failed, 0 skipped'])
  })

  test('leaves out what only make interop-all runs', () => {
    const required = { INTEROP_REQUIRED: '1' }
    expect(interop(required, 'node22', 'storms')).toEqual([0, '0 passed, 0 failed, 2 skipped'])
  })
})

/** A test file, and what it imports of the tests. */
function* reachable(file: string, seen = new Set<string>()): Generator<string> {
  if (seen.has(file) || !existsSync(file)) return
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  yield text
  for (const [, path = ''] of text.matchAll(/from '(\.{1,2}\/[^']+\.ts)'/g)) {
    const imported = join(dirname(file), path)
    if (imported.startsWith(join(ROOT, 'test/'))) yield* reachable(imported, seen)
  }
}

describe('the tests that read with Python', () => {
  const VARIABLE = /process\.env\['(TEST_\w*PYTHON)'\]/g
  const ofReaders = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => {
      const texts = [...reachable(join(ROOT, 'test', file))].join('\n')
      const variables = [...texts.matchAll(VARIABLE)].map(([, name = '']) => name)
      return { file: `test/${file}`, variables: [...new Set(variables)] }
    })
    .filter(({ file, variables }) => variables.length > 0 && file !== 'test/commands/gate.test.ts')

  /** Jest is one that writes down what it was called with, and reports these tests. */
  async function runReaders(assertionResults: readonly object[]) {
    const report = { testResults: [{ ...FILE, assertionResults }] }
    put('report.json', JSON.stringify(report))
    tool(
      'npx',
      `env > '${folder}/environment'
      echo "$*" > '${folder}/arguments'
      for each in "$@"; do
        case $each in --outputFile=*) cp '${folder}/report.json' "\${each#*=}";; esac
      done`,
    )
    mkdirSync(RESULTS, { recursive: true })
    const { PATH = '' } = process.env
    process.env['PATH'] = `${folder}/bin:${PATH}`
    try {
      return await readersSuite.run()
    } finally {
      process.env['PATH'] = PATH
    }
  }
  const FILE = {
    ...{ name: join(ROOT, 'test/a.test.ts'), status: 'focused', message: '' },
    ...{ startTime: 0, endTime: 1 },
  }

  test('are all run by the suite of readers, each with the Python that it asks for', async () => {
    expect(ofReaders.length).toBeGreaterThanOrEqual(5)
    await runReaders([{ status: 'passed', title: 'fine', fullName: 'fine' }])
    const environment = readFileSync(join(folder, 'environment'), 'utf8')
    const args = readFileSync(join(folder, 'arguments'), 'utf8').trim().split(' ')
    const wrong = ofReaders.flatMap(({ file, variables }) => {
      const missing = variables.filter((name) => !environment.includes(`\n${name}=/`))
      const isRun = args.some((part) => !part.startsWith('-') && file.includes(part))
      return isRun && missing.length === 0 ? [] : [{ file, isRun, missing }]
    })
    expect(wrong).toEqual([])
  })
})
