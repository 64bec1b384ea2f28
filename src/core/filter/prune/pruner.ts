import type { ManifestFile, PartitionFieldSummary } from '../../file/data-file.ts'
import type { FileColumns, PartitionValues } from '../../file/file-columns.ts'
import type { FileStatistics } from '../../file/file-statistics.ts'
import type { PartitionField, PartitionSpec } from '../../partition/partition-spec.ts'
import type { BoundFilter, BoundPredicate } from '../bind/bound-filter.ts'
import { metricsNarrowing, metricsTestOfAll, type NarrowFiles } from './metrics-narrowing.ts'
import { metricsTest } from './metrics-test.ts'
import { type PartitionTest, partitionTest } from './partition-test.ts'
import { addMarks, clearNumbers, copyOf, type RowSelection } from './row-selection.ts'

/**
 * Decides what need not be read. False proves that no row matches; in case of doubt the result is
 * true.
 */
export interface Pruner {
  /** For manifests of data files, and of delete files that apply only to their own partition. */
  manifestMayMatch(manifest: Pick<ManifestFile, 'specId' | 'partitions'>): boolean
  fileMayMatch(file: FileStatistics): boolean
  /** False if none of these files can match; cheaper than testing each. */
  someMayMatch(files: FileColumns): boolean
  /** Clears the rows of files that `fileMayMatch` rejects. */
  narrow(files: FileColumns, rows: RowSelection): void
}

/**
 * Compiles a filter. A file or manifest of a spec that is not in `specs` is tested without its
 * partition.
 */
export function compilePruner(plan: {
  readonly filter: BoundFilter
  readonly specs: readonly PartitionSpec[]
}): Pruner {
  const { filter, specs } = plan
  const withoutPartition = compileFiles(filter, [])
  const files = new Map(specs.map((spec) => [spec.specId, compileFiles(filter, spec.fields)]))
  const manifests = new Map(
    specs.map((spec) => [spec.specId, compileManifests(filter, spec.fields)]),
  )
  const someWithoutPartition = compileSome(filter, [])
  const some = new Map(specs.map((spec) => [spec.specId, compileSome(filter, spec.fields)]))
  const narrowWithoutPartition = compileNarrowing(filter, [])
  const narrowings = new Map(
    specs.map((spec) => [spec.specId, compileNarrowing(filter, spec.fields)]),
  )
  return {
    manifestMayMatch({ specId, partitions }) {
      const test = manifests.get(specId)
      return test === undefined || partitions === undefined || test(partitions)
    },
    fileMayMatch(file) {
      if (file.recordCount === 0) return false
      return (files.get(file.specId) ?? withoutPartition)(file)
    },
    someMayMatch: (many) => (some.get(many.specId) ?? someWithoutPartition)(many),
    narrow(many, rows) {
      clearNumbers({ rows: undefined, values: many.recordCounts }, rows, (count) => count === 0)
      const narrow = narrowings.get(many.specId) ?? narrowWithoutPartition
      narrow(many, rows)
    },
  }
}

type Test<T> = (subject: T) => boolean

function compileFiles(
  filter: BoundFilter,
  fields: readonly PartitionField[],
): Test<FileStatistics> {
  return compileTree(filter, (predicate) => {
    const metrics = metricsTest(predicate)
    const partitions = partitionTests(predicate, fields)
    if (partitions.length === 0) return metrics
    const isSaid = isSaidByPartition(predicate, fields)
    return (file) => {
      if (!isSaid && !metrics(file)) return false
      const tuple = file.partition()
      return partitions.every(({ index, test }) => {
        const value = tuple[index]
        return value === undefined || test.value(value)
      })
    }
  })
}

function compileSome(filter: BoundFilter, fields: readonly PartitionField[]): Test<FileColumns> {
  return compileTree(filter, (predicate) =>
    isSaidByPartition(predicate, fields) ? () => true : metricsTestOfAll(predicate),
  )
}

/**
 * Whether the partition has the very values of the column. Its metrics add nothing then, and where
 * the file lacks the column they mean nothing: some writers count nulls there.
 */
function isSaidByPartition({ column }: BoundPredicate, fields: readonly PartitionField[]): boolean {
  return fields.some(
    ({ sourceId, transform }) => sourceId === column.fieldId && transform.kind === 'identity',
  )
}

function compileNarrowing(filter: BoundFilter, fields: readonly PartitionField[]): NarrowFiles {
  switch (filter.kind) {
    case 'always':
      return filter.value ? () => undefined : (_, rows) => rows.marks.fill(0)
    case 'and': {
      const parts = filter.operands.map((operand) => compileNarrowing(operand, fields))
      return (files, rows) => {
        for (const narrow of parts) narrow(files, rows)
      }
    }
    case 'or':
      return narrowToUnion(filter.operands.map((operand) => compileNarrowing(operand, fields)))
    default:
      return leafNarrowing(filter, fields)
  }
}

function narrowToUnion(parts: readonly NarrowFiles[]): NarrowFiles {
  return (files, rows) => {
    const before = copyOf(rows)
    rows.marks.fill(0)
    for (const narrow of parts) {
      const part = copyOf(before)
      narrow(files, part)
      addMarks(rows, part)
    }
  }
}

function leafNarrowing(predicate: BoundPredicate, fields: readonly PartitionField[]): NarrowFiles {
  const narrowByMetrics = metricsNarrowing(predicate)
  const partitions = partitionTests(predicate, fields)
  const isSaid = isSaidByPartition(predicate, fields)
  return (files, rows) => {
    for (const { index, test } of partitions) {
      const values = files.partitions[index]
      if (values !== undefined) narrowByPartition(values, test, rows)
    }
    if (!isSaid) narrowByMetrics(files, rows)
  }
}

/** Tests each distinct value once. */
function narrowByPartition(
  { distinct, codes }: PartitionValues,
  test: PartitionTest,
  rows: RowSelection,
): void {
  const verdicts = Uint8Array.from(distinct, (value) => (test.value(value) ? 1 : 0))
  clearNumbers({ rows: undefined, values: codes }, rows, (code) => verdicts[code] === 0)
}

function compileManifests(
  filter: BoundFilter,
  fields: readonly PartitionField[],
): Test<readonly PartitionFieldSummary[]> {
  return compileTree(filter, (predicate) => {
    const partitions = partitionTests(predicate, fields)
    // Summaries of fewer or more fields than the spec has do not tell whose they are.
    return (summaries) =>
      summaries.length !== fields.length ||
      partitions.every(({ index, test }) => {
        const summary = summaries[index]
        return summary === undefined || test.summary(summary)
      })
  })
}

function partitionTests(
  predicate: BoundPredicate,
  fields: readonly PartitionField[],
): readonly { readonly index: number; readonly test: PartitionTest }[] {
  return fields.flatMap((field, index) => {
    if (field.sourceId !== predicate.column.fieldId) return []
    const test = partitionTest(predicate, field.transform)
    return test === undefined ? [] : [{ index, test }]
  })
}

/** The parser limits the depth of the recursion. */
function compileTree<T>(
  filter: BoundFilter,
  compileLeaf: (predicate: BoundPredicate) => Test<T>,
): Test<T> {
  switch (filter.kind) {
    case 'always': {
      const { value } = filter
      return () => value
    }
    case 'and':
    case 'or': {
      const tests = filter.operands.map((operand) => compileTree(operand, compileLeaf))
      return filter.kind === 'and'
        ? (subject) => tests.every((test) => test(subject))
        : (subject) => tests.some((test) => test(subject))
    }
    default:
      return compileLeaf(filter)
  }
}
