/**
 * Plans over a million files with bounds of eight columns: warm, cold, through both APIs, and the
 * memory they take. BENCH_MILLION_HOME=<folder> keeps the table there for the next run.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type DecodedManifest, decodeManifest } from '../src/formats/manifest/manifest-reader.ts'
import { fillFiles, withPlatform } from './bench-home.ts'
import { type BenchService, startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { memoryCopyMegabytesPerSecond } from './disk-limits.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import {
  COLUMNS,
  dayOf,
  FILES_PER_DAY,
  millionthFile,
  nameOf,
  scatteredUser,
} from './million-files.ts'
import { planWithPyIceberg } from './peers/plan-peers.ts'
import { type Aim, IS_QUICK, openReport, type Peer } from './report.ts'

const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 50_000 : 1_000_000))
const FILES_PER_COMMIT = 10_000
const CACHE = '1GB'
const TARGET = Math.floor(FILES * 0.4242)

const kept = process.env['BENCH_MILLION_HOME']
const home = kept ?? mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const done = join(home, `filled-${FILES}`)
if (!existsSync(done)) await fill()

const FILTERS = {
  'one partition': {
    text: `day = '${new Date(dayOf(TARGET) * 86_400_000).toISOString().slice(0, 10)}'`,
    expression: { type: 'eq', term: 'day', value: dayOf(TARGET) },
    aim: { atMost: 20 },
  },
  'a column in the order of the files': {
    text: `id = ${TARGET * 1000}`,
    expression: { type: 'eq', term: 'id', value: TARGET * 1000 },
    aim: { atMost: 100 },
  },
  'a scattered column': {
    text: `user = ${scatteredUser(TARGET)}`,
    expression: { type: 'eq', term: 'user', value: scatteredUser(TARGET) },
    aim: { atMost: 100 },
  },
  'a scattered column of strings': {
    text: `name = '${nameOf(TARGET)}+'`,
    expression: { type: 'eq', term: 'name', value: `${nameOf(TARGET)}+` },
    aim: { atMost: 100 },
  },
  'three scattered columns': {
    text: `user < 2000 and price > 100 and (name > 'n0000500' or amount between 3 and 9)`,
    expression: undefined,
    aim: { atMost: 100 },
  },
} as const

printMachine(
  `Planning over ${FILES} files, ${FILES_PER_DAY} in a partition, ` +
    `${COLUMNS.length} columns with bounds`,
)
const report = openReport('plan-million')
await measureMemory()
// Reads each byte of one bound of one column of every file, once.
const scanMs = (FILES * 8) / 1e3 / memoryCopyMegabytesPerSecond()
const limit = { what: 'memory: 8 bytes of every file, copied once', value: scanMs }
const peers = await measurePyIceberg()
printRow(['what', 'files', 'first ms', 'p50 ms', 'p99 ms', 'loop held at most, ms'])
printRow(['---', '---', '---', '---', '---', '---'])

for (const [name, { text, expression, aim }] of Object.entries(FILTERS)) {
  const cold = await startBenchService(home, { MORAINE_MANIFEST_CACHE: CACHE })
  const url = `${cold.url}/v1/tables/wide/latest?filter=${encodeURIComponent(text)}`
  const read = async () => (await call(url)).data_files.length
  const peer = peers.get(name)
  await timed(cold, { what: `GET, ${name}`, rounds: 30, aim, peer, work: read })
  if (expression !== undefined) {
    const plan = async () => {
      const path = `${cold.url}/iceberg/v1/namespaces/default/tables/wide/plan`
      const answer = await call(path, { method: 'POST', body: { filter: expression } })
      return answer['file-scan-tasks'].length
    }
    await timed(cold, { what: `REST plan, ${name}`, rounds: 30, aim, peer, work: plan })
  }
  await cold.stop()
}
if (kept === undefined) rmSync(home, { recursive: true })

async function fill(): Promise<void> {
  mkdirSync(home, { recursive: true })
  const service = await startBenchService(home)
  const { table_id: tableUuid, location } = await call(`${service.url}/v1/tables`, {
    method: 'POST',
    body: {
      name: 'wide',
      schema: { columns: COLUMNS.map(({ name, type }) => ({ name, type })) },
      partitioning: [{ column: 'day', transform: 'identity' }],
    },
  })
  await service.stop()
  for (let first = 0; first < FILES; first += FILES_PER_COMMIT) {
    const length = Math.min(FILES_PER_COMMIT, FILES - first)
    const added = Array.from({ length }, (_, i) => millionthFile(first + i, `${location}/data`))
    await fillFiles(home, { tableUuid, added })
  }
  writeFileSync(done, '')
}

/** Plans once: each scan of a million files takes PyIceberg a minute. */
async function measurePyIceberg(): Promise<ReadonlyMap<string, Peer>> {
  const service = await startBenchService(home)
  const path = '/iceberg/v1/namespaces/default/tables/wide'
  const { 'metadata-location': metadataLocation } = await call(service.url + path)
  await service.stop()
  const filters = {
    'one partition': FILTERS['one partition'].text,
    'a column in the order of the files': FILTERS['a column in the order of the files'].text,
  }
  return planWithPyIceberg(report, { metadataLocation, rounds: 0, filters })
}

/** Memory of the decoded manifests alone: what the process uses with and without them. */
async function measureMemory(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await withPlatform(home, async (deps) => {
    const table = await deps.catalog.tables.find({ namespace: ['default'], name: 'wide' })
    const list = await deps.manifests.getManifestList(table?.currentSnapshot?.manifestList ?? '')
    const held = () => {
      collect()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    }
    const before = held()
    const manifests: DecodedManifest[] = []
    const begin = process.cpuUsage()
    for (const file of list) {
      manifests.push(
        decodeManifest(await deps.objects.read(file.path, { bytesMax: 2 ** 28 }), file),
      )
    }
    const { user, system } = process.cpuUsage(begin)
    const megabytes = (held() - before) / 1e6
    const counted = manifests.reduce((sum, manifest) => sum + manifest.retainedBytes, 0) / 1e6
    printRow(['memory', 'MB'])
    printRow(['---', '---'])
    printRow(['decoded manifests, heap and external', megabytes.toFixed(0)])
    printRow(['what the cache counts them as', counted.toFixed(0)])
    printRow(['CPU to read and decode them, ms', ((user + system) / 1000).toFixed(0)])
    console.log('')
    report.figure({
      ...{ what: `${FILES} files: memory of decoded manifests`, value: megabytes, unit: 'MB' },
      aim: { atMost: (400 * FILES) / 1e6 },
    })
  })
}

interface Load {
  readonly what: string
  readonly rounds: number
  readonly aim: Aim
  readonly peer: Peer | undefined
  readonly work: () => Promise<number>
}

async function timed(service: BenchService, load: Load): Promise<void> {
  const { what, rounds, aim, peer, work } = load
  await loopHeldMs(service)
  const times: number[] = []
  let files = 0
  for (let i = 0; i <= rounds; i++) {
    const begin = performance.now()
    files = await work()
    times.push(performance.now() - begin)
  }
  const [first = Number.NaN, ...warm] = times
  const p50 = percentile(warm, 0.5)
  const heldMs = await loopHeldMs(service)
  const cells = [first, p50, percentile(warm, 0.99), heldMs].map((ms) => ms.toFixed(1))
  printRow([what, files, ...cells])
  const common = { unit: 'ms' } as const
  report.figure({
    ...{ ...common, what: `${FILES} files: ${what}, warm, p50`, value: p50, aim, limit },
    ...(peer === undefined ? {} : { peer }),
  })
  report.figure({
    ...common,
    what: `${FILES} files: ${what}, first`,
    value: first,
    aim: { atMost: 10_000 },
  })
  report.figure({
    ...common,
    what: `${FILES} files: ${what}, loop held`,
    value: heldMs,
    aim: { atMost: 50 },
  })
}

/** The longest hold since the last call. */
async function loopHeldMs({ url }: BenchService): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1]) * 1000
}
