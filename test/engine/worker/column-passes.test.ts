import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Field, Type } from '../../../src/core/value/type.ts'
import type { ExportFormat } from '../../../src/engine/engine.ts'
import { runExport } from '../../../src/engine/worker/export/export-job.ts'
import { writeParquet } from '../../parquet-files.ts'
import { field, schemaOf, sourceOf } from '../engine-samples.ts'

const ROWS = 3
/** Types that take turns: a table of so many columns has each of them at its end, too. */
const KINDS: readonly { readonly sql: string; type(id: number): Type }[] = [
  { sql: '9007199254740993 + i', type: () => ({ kind: 'long' }) },
  { sql: `'a, <' || i || '>"'`, type: () => ({ kind: 'string' }) },
  {
    sql: `TIMESTAMP '2024-01-01 00:00:00' + to_seconds(i)`,
    type: () => ({ kind: 'timestamp' }),
  },
  { sql: 'CAST(i AS DECIMAL(12,3))', type: () => ({ kind: 'decimal', precision: 12, scale: 3 }) },
  { sql: 'CASE WHEN i > 0 THEN -0.0 END', type: () => ({ kind: 'double' }) },
  {
    sql: '[i, NULL]',
    type: (id) => ({
      ...{ kind: 'list', elementId: 10_000 + id, elementRequired: false },
      element: { kind: 'long' },
    }),
  },
]
const WIDE = 1_714
const FEW = 250

const fields: readonly Field[] = Array.from({ length: WIDE }, (_, i) =>
  field(i + 1, `c${i}`, KINDS[i % KINDS.length]?.type(i) ?? 'long'),
)

let folder: string
let path: string
const before = process.cwd()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-passes-'))
  const values = fields.map(({ name }, i) => `${KINDS[i % KINDS.length]?.sql} AS ${name}`)
  const query = `SELECT ${values.join(', ')} FROM range(${ROWS}) t(i)`
  path = await writeParquet(join(folder, 'source.parquet'), query)
})
afterAll(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true, force: true })
})

async function linesOf(format: ExportFormat, count: number): Promise<readonly string[]> {
  const place = await mkdtemp(join(folder, 'job-'))
  process.chdir(place)
  const schema = schemaOf(...fields.slice(0, count))
  const target = { path: join(folder, 'unused'), format, compression: 'none' as const }
  const source = sourceOf(path, schema)
  const job = { source, schema, target }
  const { rows } = await runExport(job, { folder: place, memoryBytes: 512 * 1024 * 1024 })
  expect(rows).toBe(ROWS)
  return (await readFile(join(place, 'output'), 'utf8')).trimEnd().split('\n')
}

test.each<[ExportFormat, string]>([
  ['csv', ''],
  ['tsv', ''],
  ['json', '],'],
  ['ndjson', '}'],
  ['xml', '</row>'],
])('%s of 2,000 columns begins in each row as of 250, and ends alike', async (format, end) => {
  const few = await linesOf(format, FEW)
  const wide = await linesOf(format, WIDE)
  expect(wide).toHaveLength(ROWS)
  for (const [i, line] of wide.entries()) {
    const beginning = few[i]?.slice(0, (few[i]?.length ?? 0) - end.length) ?? 'nothing'
    expect(beginning.length).toBeGreaterThan(FEW)
    expect(line.slice(0, beginning.length)).toBe(beginning)
    expect(line.endsWith(end)).toBe(true)
    expect(line.length).toBeGreaterThan((6 * beginning.length) | 0)
  }
})
