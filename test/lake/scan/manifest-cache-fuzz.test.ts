import fc from 'fast-check'
import { fileStatistics } from '../../../src/core/file/file-statistics.ts'
import { bindFilter } from '../../../src/core/filter/bind/bind-filter.ts'
import { bindIcebergExpression } from '../../../src/core/filter/bind/iceberg-expression-binding.ts'
import { parseFilter } from '../../../src/core/filter/parse/filter-parser.ts'
import { parseIcebergExpression } from '../../../src/core/filter/parse/iceberg-expression.ts'
import { compilePruner, type Pruner } from '../../../src/core/filter/prune/pruner.ts'
import type { Snapshot } from '../../../src/core/table/snapshot.ts'
import { currentSchema, type TableState } from '../../../src/core/table/table.ts'
import type { LakeServices } from '../../../src/lake/lake.ts'
import { planScan } from '../../../src/lake/scan/plan-files.ts'
import { getTable } from '../../../src/lake/table/table-lookup.ts'
import {
  fetchScanTasks,
  planTableScan,
} from '../../../src/modules/iceberg-rest/plan/plan-table-scan.ts'
import { createTable, rollbackTable } from '../../../src/modules/tables/tables.ts'
import { cacheOver } from '../compose.ts'
import {
  changedFiles,
  commitChange,
  commitState,
  DRAFTS,
  type Draft,
  draftedFile,
  evolvedSpec,
  LETTERS,
  type LiveFiles,
  widened,
} from '../snapshot-model.ts'
import { CountingMeter, openWorkshop } from '../workshop.ts'

const index = fc.nat({ max: 1000 })
const STEPS = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      drafts: fc.array(DRAFTS, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      files: fc.array(index, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('overwrite' as const),
      files: fc.array(index, { minLength: 1, maxLength: 2 }),
      drafts: fc.array(DRAFTS, { minLength: 1, maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rollback' as const), to: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('schema' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spec' as const) }) },
)
type Step = typeof STEPS extends fc.Arbitrary<infer T> ? T : never

const NUMBERS = fc.integer({ min: -55, max: 55 })
const LEAVES = fc.oneof(
  fc.tuple(fc.constantFrom('=', '!=', '<', '>='), NUMBERS).map(([op, n]) => `n ${op} ${n}`),
  fc.tuple(NUMBERS, NUMBERS).map(([a, b]) => `n IN (${a}, ${b}, ${a + 3})`),
  fc.nat({ max: 6 }).map((day) => `day = '1970-01-0${day + 1}'`),
  fc.constantFrom('day IS NULL', 'day IS NOT NULL', 'x > 1', 'x <= 0', `s LIKE 'a%'`),
  fc.constantFrom(...LETTERS).map((letter) => `s = '${letter}z'`),
)
const FILTERS = fc.oneof(
  fc.constant(undefined),
  LEAVES,
  fc.tuple(LEAVES, fc.constantFrom('AND', 'OR'), LEAVES).map((parts) => parts.join(' ')),
)
const EXPRESSIONS = fc.oneof(
  NUMBERS.map((value) => ({ type: 'lt', term: 'n', value })),
  NUMBERS.map((value) => ({ type: 'eq', term: 'n', value })),
  fc.constantFrom(...LETTERS).map((value) => ({ type: 'starts-with', term: 's', value })),
)

interface Question {
  /** Index among the snapshots so far. */
  readonly snapshot: number
  readonly filter: string | undefined
  readonly expression: object
}
const QUESTIONS: fc.Arbitrary<Question> = fc.record({
  snapshot: index,
  filter: FILTERS,
  expression: EXPRESSIONS,
})

const RUNS = fc.record({
  // Nothing stays; one or two manifests; some; all.
  bytesMax: fc.constantFrom(0, 20_000, 90_000, 1e9),
  rounds: fc.array(
    fc.record({ step: STEPS, questions: fc.array(QUESTIONS, { minLength: 2, maxLength: 5 }) }),
    { minLength: 6, maxLength: 18 },
  ),
})

interface Known {
  readonly snapshot: Snapshot
  readonly files: LiveFiles
}

/** A table and the account of it. */
class Account {
  readonly known: Known[] = []
  readonly #deps: LakeServices
  #current: LiveFiles = new Map()
  #names = 0

  constructor(deps: LakeServices) {
    this.#deps = deps
  }

  async take(step: Step): Promise<void> {
    const state = await getTable(this.#deps.catalog, 't')
    const { definition } = state
    switch (step.kind) {
      case 'schema': {
        const schema = widened(currentSchema(definition))
        const schemas = [...definition.schemas, schema]
        const { schemaId: currentSchemaId } = schema
        return commitState(this.#deps, state, {
          definition: { ...definition, schemas, currentSchemaId },
        })
      }
      case 'spec': {
        const spec = evolvedSpec(definition.partitionSpecs.length)
        const partitionSpecs = [...definition.partitionSpecs, spec]
        return commitState(this.#deps, state, {
          definition: { ...definition, partitionSpecs, defaultSpecId: spec.specId },
        })
      }
      case 'rollback':
        return this.#rollBack(step.to)
      default:
        return this.#change(state, step)
    }
  }

  async #rollBack(to: number): Promise<void> {
    const target = this.known[to % Math.max(1, this.known.length)]
    if (target === undefined) return
    const { snapshotId } = target.snapshot
    await rollbackTable(this.#deps, 't', { snapshotIdentifier: String(snapshotId) })
    this.#current = target.files
  }

  async #change(state: TableState, step: Step): Promise<void> {
    const drafts: readonly Draft[] = 'drafts' in step ? step.drafts : []
    const paths = [...this.#current.keys()]
    const chosen = 'files' in step ? step.files.map((i) => paths[i % paths.length]) : []
    const change = {
      added: drafts.map((draft) => draftedFile(state, draft, `f${this.#names++}`)),
      removedPaths: new Set(chosen.filter((path) => path !== undefined)),
      truncate: step.kind === 'truncate',
    }
    const snapshot = await commitChange(this.#deps, change)
    if (snapshot === undefined) return
    this.#current = changedFiles(this.#current, change, snapshot.sequenceNumber)
    this.known.push({ snapshot, files: this.#current })
  }
}

interface Kept {
  readonly path: string
  readonly file: unknown
  readonly sequence: bigint
}

/** By the account and the pruner of one file. */
function expectedFiles({ files }: Known, pruner: Pruner | undefined): Kept[] {
  return [...files.values()]
    .filter(({ file }) => pruner?.fileMayMatch(fileStatistics(file)) ?? true)
    .map(({ file, sequence }) => ({ path: file.path, file, sequence }))
    .sort(byPath)
}

function byPath(left: { path: string }, right: { path: string }): number {
  return left.path < right.path ? -1 : 1
}

async function askV1(deps: LakeServices, known: Known, { filter }: Question): Promise<number> {
  const state = await getTable(deps.catalog, 't')
  const schema = currentSchema(state.definition)
  const specs = state.definition.partitionSpecs
  const plan = await planScan(deps, state, { snapshot: known.snapshot, schema, filter })
  const kept = [...plan.plannedFiles()]
    .map((each) => ({
      path: each.dataFile.path,
      file: each.dataFile,
      sequence: each.sequenceNumber,
    }))
    .sort(byPath)
  const pruner =
    filter === undefined
      ? undefined
      : compilePruner({ filter: bindFilter(parseFilter(filter), schema), specs })
  expect({ filter, kept }).toEqual({ filter, kept: expectedFiles(known, pruner) })
  expect(plan.files.total).toBe(known.files.size)
  return known.files.size - kept.length
}

async function askRest(deps: LakeServices, known: Known, question: Question): Promise<void> {
  const state = await getTable(deps.catalog, 't')
  const schema = currentSchema(state.definition)
  const { expression: filter } = question
  const snapshotId = known.snapshot.snapshotId
  const answer = await planTableScan(deps, state, { 'snapshot-id': snapshotId, filter })
  const tasks = [...answer.fileScanTasks]
  const pending = [...answer.planTasks]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const page = await fetchScanTasks(deps, state, next)
    tasks.push(...page.fileScanTasks)
    pending.push(...page.planTasks)
  }
  const bound = bindIcebergExpression(parseIcebergExpression(filter), {
    schema,
    caseSensitive: true,
  })
  const pruner = compilePruner({ filter: bound, specs: state.definition.partitionSpecs })
  const paths = tasks.map((task) => JSON.parse(task)['data-file']['file-path']).sort()
  const expected = expectedFiles(known, pruner).map(({ path }) => path)
  expect({ filter, paths }).toEqual({ filter, paths: expected.sort() })
}

test('plans over cached manifests are what a look at each file of the snapshot gives', async () => {
  const seen = { plans: 0, dropped: 0, hits: 0, misses: 0 }
  await fc.assert(
    fc.asyncProperty(RUNS, async ({ bytesMax, rounds }) => {
      const shop = await openWorkshop()
      try {
        const meter = new CountingMeter()
        const manifests = cacheOver({ objects: shop.deps.objects, meter }, bytesMax)
        const deps = { ...shop.deps, manifests }
        await createTable(deps, {
          name: 't',
          columns: [
            { name: 'n', type: 'int' },
            { name: 'day', type: 'date' },
            { name: 's', type: 'string' },
            { name: 'x', type: 'double' },
          ],
          partitioning: [{ column: 'day', transform: 'identity' }],
        })
        const account = new Account(deps)
        for (const { step, questions } of rounds) {
          const { known } = account
          const asked = questions.flatMap((question) => {
            const about = known[question.snapshot % Math.max(1, known.length)]
            return about === undefined ? [] : [{ about, question }]
          })
          await Promise.all([
            account.take(step),
            ...asked.map(async ({ about, question }) => {
              seen.dropped += await askV1(deps, about, question)
              await askRest(deps, about, question)
              seen.plans++
            }),
          ])
        }
        expect(meter.counts['bytes'] ?? 0).toBeLessThanOrEqual(bytesMax)
        seen.hits += meter.counts['hit'] ?? 0
        seen.misses += meter.counts['miss'] ?? 0
      } finally {
        await shop.close()
      }
    }),
    { numRuns: 30 },
  )
  // Else the law would be empty: most runs see ten times as many.
  expect(Math.min(seen.plans, seen.dropped, seen.hits, seen.misses)).toBeGreaterThan(30)
}, 240_000)
