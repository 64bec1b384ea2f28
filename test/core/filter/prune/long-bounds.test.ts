import type { FileStatistics } from '../../../../src/core/file/file-statistics.ts'
import { bindFilter } from '../../../../src/core/filter/bind/bind-filter.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import { compilePruner } from '../../../../src/core/filter/prune/pruner.ts'
import { selectAll } from '../../../../src/core/filter/prune/row-selection.ts'
import { encodeSingleValue } from '../../../../src/core/value/single-value.ts'
import { columnsOf } from '../column-model.ts'
import { SCHEMA } from '../filter-model.ts'

describe('64-bit bounds whose lower halves are negative as signed', () => {
  const NUMBERS = [
    ...[-(2n ** 63n), -(2n ** 32n), -3_000_000_000n, -(2n ** 31n), -1n, 0n, 2n ** 31n - 1n],
    ...[2n ** 31n, 3_000_000_000n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 33n - 1n, 2n ** 63n - 1n],
  ]
  const fileOf = (value: bigint): FileStatistics => ({
    recordCount: 1,
    specId: 7,
    partition: () => [],
    valueCount: () => 1,
    nullCount: () => 0,
    nanCount: () => undefined,
    lowerBound: () => encodeSingleValue({ kind: 'long' }, value),
    upperBound: () => encodeSingleValue({ kind: 'long' }, value),
  })
  const OPERATORS: readonly (readonly [string, (value: bigint, literal: bigint) => boolean])[] = [
    ['<', (value, literal) => value < literal],
    ['<=', (value, literal) => value <= literal],
    ['=', (value, literal) => value === literal],
    ['>=', (value, literal) => value >= literal],
    ['>', (value, literal) => value > literal],
  ]

  test.each(OPERATORS)('keep exactly the rows of big %s each number', (operator, holds) => {
    const columns = columnsOf(NUMBERS.map(fileOf), 0)
    for (const literal of NUMBERS) {
      const filter = bindFilter(parseFilter(`big ${operator} ${literal}`), SCHEMA)
      const pruner = compilePruner({ filter, specs: [{ specId: 7, fields: [] }] })
      const rows = selectAll(0, NUMBERS.length)
      pruner.narrow(columns, rows)
      const kept = NUMBERS.filter((_, i) => rows.marks[i] === 1)
      const expected = NUMBERS.filter((value) => holds(value, literal))
      expect({ literal, kept }).toEqual({ literal, kept: expected })
      expect(NUMBERS.filter((value) => pruner.fileMayMatch(fileOf(value)))).toEqual(expected)
    }
  })
})
