import fc from 'fast-check'
import { bindIcebergExpression } from '../../../../src/core/filter/bind/iceberg-expression-binding.ts'
import { parseIcebergExpression } from '../../../../src/core/filter/parse/iceberg-expression.ts'
import { compilePruner } from '../../../../src/core/filter/prune/pruner.ts'
import { ROWS, type Row, SCHEMA } from '../filter-model.ts'
import { type ExpressionModel, LEAVES, READERS, TREES } from '../iceberg-model.ts'
import { type ModelFile, SPECS, summariesOf, writeFiles } from '../table-model.ts'

function sequence(numbers: readonly number[]): () => number {
  let next = 0
  return () => numbers[next++ % numbers.length] ?? 0
}

function mayMatch(model: ExpressionModel, rows: readonly Row[]): boolean {
  return rows.some((row) => READERS.some((reader) => model.truth(row, reader, false) === true))
}

function checkNothingIsLost(models: fc.Arbitrary<ExpressionModel>) {
  const counts = { matching: 0, kept: 0, files: 0 }
  const tables = fc.record({
    model: models,
    spec: SPECS,
    rows: fc.array(ROWS, { minLength: 1, maxLength: 12 }),
    whims: fc.array(fc.nat({ max: 1000 }), { minLength: 7, maxLength: 31 }),
  })
  fc.assert(
    fc.property(tables, ({ model, spec, rows, whims }) => {
      const expression = parseIcebergExpression(model.json)
      const filter = bindIcebergExpression(expression, { schema: SCHEMA, caseSensitive: true })
      const pruner = compilePruner({ filter, specs: [spec] })
      const files = writeFiles(rows, spec, sequence(whims))
      const manifestMayMatch = (group: readonly ModelFile[]) =>
        pruner.manifestMayMatch({ specId: spec.specId, partitions: summariesOf(group, spec) })
      for (const file of files) {
        const matches = mayMatch(model, file.rows)
        const kept = pruner.fileMayMatch(file.statistics)
        counts.files++
        counts.kept += kept ? 1 : 0
        counts.matching += matches ? 1 : 0
        if (!matches) continue
        const verdicts = [kept, manifestMayMatch([file]), manifestMayMatch(files)]
        // To expect each of a hundred thousand takes longer than all else.
        if (verdicts.includes(false)) expect(verdicts).toEqual([true, true, true])
      }
    }),
    { numRuns: 4000 },
  )
  return counts
}

describe('no file or manifest with a row that an Iceberg reader keeps is ever dropped', () => {
  test('by one predicate', () => {
    const { files, kept, matching } = checkNothingIsLost(LEAVES)
    // Of the files without a match, a good part must be dropped: else the law would be empty.
    expect(files - kept).toBeGreaterThan((files - matching) / 3)
    expect(matching).toBeGreaterThan(files / 10)
  })

  test('by predicates under and, or and not', () => {
    const { files, kept, matching } = checkNothingIsLost(TREES)
    expect(files - kept).toBeGreaterThan((files - matching) / 5)
    expect(matching).toBeGreaterThan(files / 10)
  })
})
