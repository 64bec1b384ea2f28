import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jest } from '@jest/globals'
import { type DuckDbEngineOptions, openDuckDbEngine } from '../../src/engine/duckdb.ts'
import type { Engine, ExportJob } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { refusal } from '../refusal.ts'
import { childrenOf, eventually, HAS_PROC, isRunning } from './children.ts'
import { field, schemaOf, sourceOf } from './engine-samples.ts'

const SCHEMA = schemaOf(field(1, 's', 'string'))
const onLinux = HAS_PROC ? test : test.skip

jest.setTimeout(60_000)

let folder: string
let temporaryFolder: string
let long: string
let small: string
let outputs = 0
const engines: Engine[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-supervision-'))
  long = join(folder, 'long.parquet')
  small = join(folder, 'small.parquet')
  await querySql(`COPY (SELECT md5(range::VARCHAR) AS s FROM range(3000000)) TO '${long}'`)
  await querySql(`COPY (SELECT 'x' AS s) TO '${small}'`)
})
beforeEach(() => {
  temporaryFolder = join(folder, `work-${outputs++}`)
})
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function open(options: Partial<DuckDbEngineOptions> = {}): Promise<Engine> {
  const engine = await openDuckDbEngine({
    processes: 1,
    memoryBytes: 256_000_000,
    temporaryFolder,
    jobTimeoutMs: 60_000,
    queueMax: 100,
    ...options,
  })
  engines.push(engine)
  return engine
}

function jobOf(path: string, target: Partial<ExportJob['target']> = {}): ExportJob {
  return {
    source: sourceOf(path, SCHEMA),
    schema: SCHEMA,
    target: {
      path: join(folder, `out-${outputs++}`),
      format: 'ndjson',
      compression: 'none',
      ...target,
    },
  }
}

async function jobFolders(): Promise<readonly string[]> {
  const own = await readdir(temporaryFolder)
  return (await Promise.all(own.map((name) => readdir(join(temporaryFolder, name))))).flat()
}

/** Whether one of the jobs has begun to write. */
async function outputIsGrowing(): Promise<boolean> {
  const [own = ''] = await readdir(temporaryFolder)
  const jobs = await readdir(join(temporaryFolder, own))
  const names = await Promise.all(jobs.map((job) => readdir(join(temporaryFolder, own, job))))
  return names.flat().includes('output')
}

onLinux(
  'children start when they are needed, stay warm, and are gone when the engine is closed',
  async () => {
    const before = await childrenOf(process.pid)
    const engine = await open({ processes: 2 })
    expect(await childrenOf(process.pid)).toEqual(before)
    await Promise.all(Array.from({ length: 6 }, () => engine.export(jobOf(small))))
    const children = (await childrenOf(process.pid)).filter((id) => !before.includes(id))
    expect(children.length).toBe(2)
    await Promise.all(Array.from({ length: 6 }, () => engine.export(jobOf(small))))
    expect((await childrenOf(process.pid)).filter((id) => !before.includes(id))).toEqual(children)

    const running = engine.export(jobOf(long)).catch((error: unknown) => error)
    await eventually(outputIsGrowing)
    await engine.close()
    expect(await running).toMatchObject({ code: 'engine-failed' })
    expect(await childrenOf(process.pid)).toEqual(before)
    expect(await readdir(temporaryFolder)).toEqual([])
    expect((await refusal(engine.export(jobOf(small)))).code).toBe('engine-failed')
  },
)

/** Kills the only child that is not among the known ones, once it writes. */
async function killNewChild(known: readonly number[]): Promise<number> {
  const others = async () => (await childrenOf(process.pid)).filter((id) => !known.includes(id))
  await eventually(async () => (await others()).length > 0)
  await eventually(outputIsGrowing)
  const [child = 0] = await others()
  process.kill(child, 'SIGKILL')
  return child
}

onLinux('a job whose child is killed in the middle is done by a new one', async () => {
  const before = await childrenOf(process.pid)
  const engine = await open()
  const running = engine.export(jobOf(long))
  const waiting = engine.export(jobOf(small))
  await killNewChild(before)
  expect((await running).rows).toBe(3_000_000)
  expect((await waiting).rows).toBe(1)
  expect(await jobFolders()).toEqual([])
})

onLinux('a job whose child is killed twice fails, and the next one runs', async () => {
  const before = await childrenOf(process.pid)
  const engine = await open()
  const running = refusal(engine.export(jobOf(long)))
  const waiting = engine.export(jobOf(small))
  const first = await killNewChild(before)
  await killNewChild([...before, first])
  expect(await running).toMatchObject({ code: 'engine-failed' })
  expect((await waiting).rows).toBe(1)
  expect(await jobFolders()).toEqual([])
})

onLinux('a child that died while it was idle costs nobody a job', async () => {
  const before = await childrenOf(process.pid)
  const engine = await open()
  await engine.export(jobOf(small))
  const [child = 0] = (await childrenOf(process.pid)).filter((id) => !before.includes(id))
  process.kill(child, 'SIGKILL')
  await eventually(async () => !(await isRunning(child)))
  // Node buries it in the turn in which it tells of the end.
  await eventually(async () => !existsSync(`/proc/${child}`))
  await new Promise((resolve) => setImmediate(resolve))
  expect((await engine.export(jobOf(small))).rows).toBe(1)
})

test('a job that takes too long fails, and the next one runs', async () => {
  // Many times what a child takes to start; the job takes some seconds more.
  const engine = await open({ jobTimeoutMs: 1_500 })
  const job = jobOf(long, { compression: 'gzip' })
  expect(await refusal(engine.export(job))).toMatchObject({
    code: 'engine-failed',
    facts: { timeoutMs: 1_500 },
  })
  expect(await jobFolders()).toEqual([])
  expect((await engine.export(jobOf(small))).rows).toBe(1)
})

test('more jobs than may wait are refused at once', async () => {
  const engine = await open({ queueMax: 2 })
  const jobs = Array.from({ length: 5 }, () => engine.export(jobOf(small)).catch((error) => error))
  const codes = (await Promise.all(jobs)).map((outcome) => outcome.code ?? 'done')
  expect(codes).toEqual(['done', 'done', 'done', 'overloaded', 'overloaded'])
})

test('a value that needs far more memory than there is fails its job, not the engine', async () => {
  const hog = join(folder, 'hog.parquet')
  await querySql(`COPY (SELECT repeat('x', 100000000) AS s) TO '${hog}' (COMPRESSION zstd)`)
  const engine = await open({ memoryBytes: 32_000_000 })
  for (const format of ['csv', 'ndjson', 'parquet'] as const) {
    const failure = await refusal(engine.export(jobOf(hog, { format })))
    expect([failure.code, failure.facts['file']]).toEqual(['engine-failed', hog])
  }
  expect((await engine.export(jobOf(small))).rows).toBe(1)
}, 60_000)

onLinux(
  'children may not take more address space than their part, whatever DuckDB counts',
  async () => {
    const before = await childrenOf(process.pid)
    const engine = await open()
    await engine.export(jobOf(small))
    const [child = 0] = (await childrenOf(process.pid)).filter((id) => !before.includes(id))
    const limits = await readFile(`/proc/${child}/limits`, 'utf8')
    const bytes = Number(/Max address space\s+(\d+)/.exec(limits)?.[1])
    // Node 24 reserves more for itself: worker-process.ts.
    const gibibytesMax = Number(process.versions.node.split('.')[0]) < 24 ? 3 : 6
    expect(bytes).toBeLessThan(gibibytesMax * 1024 ** 3)
  },
)

async function abortedInTheMiddle(engine: Engine, before: readonly number[]) {
  const exporting = engine.export(jobOf(long))
  const outcome = exporting.then(
    ({ rows }) => rows,
    (error) => error.code,
  )
  await eventually(outputIsGrowing)
  const [child = 0] = (await childrenOf(process.pid)).filter((id) => !before.includes(id))
  process.kill(child, 'SIGABRT')
  return outcome
}

onLinux('what a child has no memory left for, after other tasks, a new child does', async () => {
  const before = await childrenOf(process.pid)
  const engine = await open()
  await engine.export(jobOf(small))
  expect(await abortedInTheMiddle(engine, before)).toBe(3_000_000)
})

onLinux('what a new child has no memory for has failed', async () => {
  const before = await childrenOf(process.pid)
  const engine = await open()
  expect(await abortedInTheMiddle(engine, before)).toBe('engine-failed')
})

onLinux('children have nothing of our environment', async () => {
  const before = await childrenOf(process.pid)
  process.env['MORAINE_SECRET'] = 'hush'
  const engine = await open()
  await engine.export(jobOf(small))
  const [child = 0] = (await childrenOf(process.pid)).filter((id) => !before.includes(id))
  const environment = execFileSync('cat', [`/proc/${child}/environ`], { encoding: 'utf8' })
  delete process.env['MORAINE_SECRET']
  expect(environment).not.toContain('hush')
  expect(environment).toContain('TZ=UTC')
})

onLinux(
  'children end with their parent, and clear up after it',
  async () => {
    const script = fileURLToPath(new URL('./abandoning-parent.ts', import.meta.url))
    const target = join(folder, 'abandoned')
    const args = ['--import', 'tsx', script, temporaryFolder, long, target]
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => parent.stdout.once('data', resolve))
    expect(await eventually(outputIsGrowing)).toBe(true)
    const children = await childrenOf(parent.pid ?? 0)
    expect(children.length).toBeGreaterThan(0)
    parent.kill('SIGKILL')
    const areGone = async (): Promise<boolean> =>
      (await Promise.all(children.map(isRunning))).every((running) => !running)
    expect(await eventually(areGone)).toBe(true)
    expect(await readdir(temporaryFolder)).toEqual([])
    expect(await readdir(folder)).not.toContain('abandoned')
  },
  30_000,
)

test('what an engine left behind is swept when its process is gone', async () => {
  const dead = join(temporaryFolder, 'engine-999999999-00000000-0000-4000-8000-000000000000')
  const alive = join(temporaryFolder, `engine-${process.ppid}-00000000-0000-4000-8000-000000000000`)
  // By then the number may be that of any other process.
  const old = join(temporaryFolder, `engine-${process.ppid}-00000000-0000-4000-8000-000000000001`)
  const foreign = join(temporaryFolder, 'not-ours')
  for (const path of [dead, alive, old, foreign]) {
    await mkdir(path, { recursive: true })
    const seconds = path === alive ? Date.now() / 1000 - 7_200 : 1_000
    await utimes(path, seconds, seconds)
  }
  const engine = await open()
  await engine.close()
  expect(
    (await readdir(temporaryFolder)).map((name) => join(temporaryFolder, name)).sort(),
  ).toEqual([alive, foreign].sort())
})

describe('on a full disk', () => {
  const tiny = mountTinyDisk()
  const onTinyDisk = tiny === undefined ? test.skip : test
  afterAll(() => {
    if (tiny === undefined) return
    execFileSync('umount', ['-l', tiny])
    execFileSync('rmdir', [tiny])
  })

  onTinyDisk(
    '(needs the right to mount) the output fails as storage-full and leaves nothing',
    async () => {
      const engine = await open()
      const target = { path: join(tiny ?? '', 'out') }
      expect((await refusal(engine.export(jobOf(long, target)))).code).toBe('storage-full')
      expect(await readdir(tiny ?? '')).toEqual([])
    },
  )

  onTinyDisk.each(['none', 'gzip', 'zstd'] as const)(
    '(needs the right to mount) half-made %s fails as storage-full and leaves nothing',
    async (compression) => {
      const engine = await open({ temporaryFolder: tiny ?? '' })
      const job = jobOf(long, { compression })
      expect((await refusal(engine.export(job))).code).toBe('storage-full')
      await engine.close()
      expect(await readdir(tiny ?? '')).toEqual([])
    },
  )
})

test('a job ends where less of the disk is free than must stay, and leaves nothing', async () => {
  const engine = await open({ freeBytesMin: Number.MAX_SAFE_INTEGER })
  const failure = await refusal(engine.export(jobOf(long)))
  expect(failure.code).toBe('storage-full')
  expect(failure.message).toContain('MORAINE_DISK_RESERVE')
  await engine.close()
  expect(await readdir(temporaryFolder)).toEqual([])
})

test('whoever wants it learns how much a job has written, until it ends', async () => {
  const engine = await open()
  const told: number[] = []
  const { bytes } = await engine.export(jobOf(long), { onWrite: (each) => told.push(each) })
  expect(told.at(-1)).toBeGreaterThan(1_000_000)
  expect(Math.max(...told)).toBeLessThanOrEqual(bytes)
})

function mountTinyDisk(): string | undefined {
  try {
    const path = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' })
    return path
  } catch {
    return undefined
  }
}
