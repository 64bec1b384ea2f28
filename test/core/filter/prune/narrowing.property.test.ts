import fc from 'fast-check'
import type { FileStatistics } from '../../../../src/core/file/file-statistics.ts'
import { bindFilter } from '../../../../src/core/filter/bind/bind-filter.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import { compilePruner } from '../../../../src/core/filter/prune/pruner.ts'
import { selectAll } from '../../../../src/core/filter/prune/row-selection.ts'
import { columnsOf } from '../column-model.ts'
import { LEAVES, MODELS, type Model, ROWS, SCHEMA } from '../filter-model.ts'
import { SPECS, writeFiles } from '../table-model.ts'

/** What dishonest or broken writers leave: any bytes as bounds, any numbers as counts. */
const BYTES = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 8, maxLength: 8 }),
  fc.uint8Array({ maxLength: 18 }),
  fc.constantFrom(
    Uint8Array.of(0, 0, 0xc0, 0x7f),
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f),
    new Uint8Array(8),
    new Uint8Array(4),
  ),
)
const COUNTS = fc.constantFrom(-1, 0, 1, 2, 7, 2 ** 40)
const NONE = undefined

const WILD_FILES: fc.Arbitrary<FileStatistics> = fc
  .record({
    recordCount: fc.constantFrom(0, 1, 2, 7),
    valueCount: fc.option(COUNTS, { nil: NONE }),
    nullCount: fc.option(COUNTS, { nil: NONE }),
    nanCount: fc.option(COUNTS, { nil: NONE }),
    lower: fc.option(BYTES, { nil: NONE }),
    upper: fc.option(BYTES, { nil: NONE }),
  })
  .map(({ recordCount, lower, upper, valueCount, nullCount, nanCount }) => ({
    recordCount,
    specId: 7,
    partition: () => [],
    valueCount: () => valueCount,
    nullCount: () => nullCount,
    nanCount: () => nanCount,
    lowerBound: () => lower,
    upperBound: () => upper,
  }))

interface Seen {
  dropped: number
  kept: number
  droppedAtOnce: number
}

function sequence(numbers: readonly number[]): () => number {
  let next = 0
  return () => numbers[next++ % numbers.length] ?? 0
}

/** Judges the files one by one and all at once. */
function compare(
  seen: Seen,
  { model, files, spec }: { model: Model; files: readonly FileStatistics[]; spec: SpecLike },
): void {
  const filter = bindFilter(parseFilter(model.text), SCHEMA)
  const pruner = compilePruner({ filter, specs: [spec] })
  const columns = columnsOf(files, spec.fields.length)
  const expected = files.map((file) => pruner.fileMayMatch(file))
  // In two stretches, for a large manifest is judged in several.
  const middle = Math.floor(files.length / 3)
  const marks = [selectAll(0, middle), selectAll(middle, files.length)].flatMap((rows) => {
    pruner.narrow(columns, rows)
    return [...rows.marks]
  })
  expect([model.text, marks.map((mark) => mark === 1)]).toEqual([model.text, expected])
  const some = pruner.someMayMatch(columns)
  if (!some) expect([model.text, expected.includes(true)]).toEqual([model.text, false])
  seen.droppedAtOnce += some ? 0 : 1
  for (const kept of expected) seen[kept ? 'kept' : 'dropped'] += 1
}

type SpecLike = Parameters<typeof compilePruner>[0]['specs'][number]

const HONEST = fc.record({
  spec: SPECS,
  tables: fc.array(fc.array(ROWS, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
  whims: fc.array(fc.nat({ max: 1000 }), { minLength: 7, maxLength: 31 }),
})

function checkHonest(models: fc.Arbitrary<Model>): Seen {
  const seen: Seen = { dropped: 0, kept: 0, droppedAtOnce: 0 }
  fc.assert(
    fc.property(models, HONEST, (model, { spec, tables, whims }) => {
      const whim = sequence(whims)
      const files = tables.flatMap((rows) => writeFiles(rows, spec, whim))
      compare(seen, { model, spec, files: files.map((file) => file.statistics) })
    }),
    { numRuns: 1500 },
  )
  return seen
}

describe('many files at once are judged as each file alone', () => {
  test('by one predicate', () => {
    const { dropped, kept, droppedAtOnce } = checkHonest(LEAVES)
    expect(dropped).toBeGreaterThan(500)
    expect(kept).toBeGreaterThan(500)
    expect(droppedAtOnce).toBeGreaterThan(20)
  })

  test('by predicates under AND, OR and NOT', () => {
    const { dropped, kept, droppedAtOnce } = checkHonest(MODELS)
    expect(dropped).toBeGreaterThan(500)
    expect(kept).toBeGreaterThan(500)
    expect(droppedAtOnce).toBeGreaterThan(20)
  })

  test('whatever a broken writer says of them', () => {
    const seen: Seen = { dropped: 0, kept: 0, droppedAtOnce: 0 }
    const spec = { specId: 7, fields: [] }
    const tables = fc.array(WILD_FILES, { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(fc.oneof(LEAVES, MODELS), tables, (model, files) => {
        compare(seen, { model, spec, files })
      }),
      { numRuns: 3000 },
    )
    expect(seen.dropped).toBeGreaterThan(500)
    expect(seen.kept).toBeGreaterThan(500)
    expect(seen.droppedAtOnce).toBeGreaterThan(20)
  })
})
