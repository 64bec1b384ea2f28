import type { ManifestFile, PartitionFieldSummary } from '../data-file.ts'
import type { FileStatistics } from '../file-statistics.ts'
import type { PartitionField, PartitionSpec } from '../partition-spec.ts'
import type { BoundFilter, BoundPredicate } from './bound-filter.ts'
import { metricsTest } from './metrics-test.ts'
import { type PartitionTest, partitionTest } from './partition-test.ts'

/** Tells what can be left unread. False is a proof that no row matches; every doubt is true. */
export interface Pruner {
  /** Of a manifest of data files; of delete files only where they apply to their own partition alone. */
  manifestMayMatch(manifest: Pick<ManifestFile, 'specId' | 'partitions'>): boolean
  fileMayMatch(file: FileStatistics): boolean
}

/** A file or manifest of a spec that is not among `specs` is judged without its partition. */
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
  return {
    manifestMayMatch({ specId, partitions }) {
      const test = manifests.get(specId)
      return test === undefined || partitions === undefined || test(partitions)
    },
    fileMayMatch(file) {
      if (file.recordCount === 0) return false
      return (files.get(file.specId) ?? withoutPartition)(file)
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
    return (file) => {
      if (!metrics(file)) return false
      const tuple = file.partition()
      return partitions.every(({ index, test }) => {
        const value = tuple[index]
        return value === undefined || test.value(value)
      })
    }
  })
}

function compileManifests(
  filter: BoundFilter,
  fields: readonly PartitionField[],
): Test<readonly PartitionFieldSummary[]> {
  return compileTree(filter, (predicate) => {
    const partitions = partitionTests(predicate, fields)
    return (summaries) =>
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

/** The parser bounds the depth. */
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
