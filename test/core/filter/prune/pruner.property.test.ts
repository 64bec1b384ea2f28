import fc from 'fast-check'
import { bindFilter } from '../../../../src/core/filter/bind/bind-filter.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import { compilePruner } from '../../../../src/core/filter/prune/pruner.ts'
import { LEAVES, MODELS, type Model, ROWS, type Row, SCHEMA } from '../filter-model.ts'
import { type ModelFile, SPECS, summariesOf, writeFiles } from '../table-model.ts'

interface Counts {
  matching: number
  kept: number
  files: number
}

function sequence(numbers: readonly number[]): () => number {
  let next = 0
  return () => numbers[next++ % numbers.length] ?? 0
}

function hasMatch(model: Model, rows: readonly Row[]): boolean {
  return rows.some((row) => model.truth(row, 64) === true || model.truth(row, 32) === true)
}

function checkNothingIsLost(models: fc.Arbitrary<Model>, numRuns: number): Counts {
  const counts: Counts = { matching: 0, kept: 0, files: 0 }
  const tables = fc.record({
    model: models,
    spec: SPECS,
    rows: fc.array(ROWS, { minLength: 1, maxLength: 12 }),
    whims: fc.array(fc.nat({ max: 1000 }), { minLength: 7, maxLength: 31 }),
  })
  fc.assert(
    fc.property(tables, ({ model, spec, rows, whims }) => {
      const filter = bindFilter(parseFilter(model.text), SCHEMA)
      const pruner = compilePruner({ filter, specs: [spec] })
      const files = writeFiles(rows, spec, sequence(whims))
      const manifestMayMatch = (group: readonly ModelFile[]) =>
        pruner.manifestMayMatch({ specId: spec.specId, partitions: summariesOf(group, spec) })
      for (const file of files) {
        const matches = hasMatch(model, file.rows)
        const kept = pruner.fileMayMatch(file.statistics)
        counts.files++
        counts.kept += kept ? 1 : 0
        counts.matching += matches ? 1 : 0
        if (!matches) continue
        const verdicts = [kept, manifestMayMatch([file]), manifestMayMatch(files)]
        // To expect each of a hundred thousand takes longer than all else.
        if (verdicts.includes(false)) {
          expect([model.text, ...verdicts]).toEqual([model.text, true, true, true])
        }
      }
    }),
    { numRuns },
  )
  return counts
}

describe('a file or manifest with a matching row is never dropped', () => {
  test('by one predicate', () => {
    const { files, kept, matching } = checkNothingIsLost(LEAVES, 3000)
    // Of the files without a match, a good part must be dropped: else the law would be empty.
    expect(files - kept).toBeGreaterThan((files - matching) / 3)
    expect(matching).toBeGreaterThan(files / 10)
  })

  test('by predicates under AND, OR and NOT', () => {
    const { files, kept, matching } = checkNothingIsLost(MODELS, 3000)
    expect(files - kept).toBeGreaterThan((files - matching) / 4)
    expect(matching).toBeGreaterThan(files / 10)
  })
})
