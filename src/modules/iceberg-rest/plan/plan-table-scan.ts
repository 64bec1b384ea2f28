import type { Stores } from '../../../catalog/catalog.ts'
import { CatalogError } from '../../../core/errors.ts'
import type { ManifestFile } from '../../../core/file/data-file.ts'
import { affordableFilter, filterCost } from '../../../core/filter/bind/filter-cost.ts'
import { bindIcebergExpression } from '../../../core/filter/bind/iceberg-expression-binding.ts'
import { parseIcebergExpression } from '../../../core/filter/parse/iceberg-expression.ts'
import { compilePruner, type Pruner } from '../../../core/filter/prune/pruner.ts'
import { getSchema, type TableDefinition, type TableState } from '../../../core/table/table.ts'
import { Turns } from '../../../core/turns.ts'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { matchingRows } from '../../../lake/scan/matching-rows.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { KeptFiles } from './kept-files.ts'
import { ContentFileWriter } from './plan-file-json.ts'
import {
  COMPARISONS_PER_REQUEST_MAX,
  ENTRIES_PER_REQUEST_MAX,
  FILTER_COST_MAX,
  PLAN_TASKS_LENGTH_MAX,
  RESIDUAL_LENGTH_MAX,
  TASKS_PER_PAGE_MAX,
} from './plan-limits.ts'
import { manifestsOf, type ScanManifests } from './plan-manifests.ts'
import { contentOf, scanSpecOf } from './plan-request.ts'
import { TaskPage } from './plan-tasks.ts'
import {
  decodePlanToken,
  encodePlanId,
  encodePlanTask,
  type PlanToken,
  type Position,
  type ScanRange,
  type ScanSpec,
  WHOLE_SCAN,
} from './plan-token.ts'

/**
 * One response of a plan: tasks to read, and plan tasks for the others. Members are JSON.
 */
export interface PlannedTasks {
  readonly fileScanTasks: readonly string[]
  readonly deleteFiles: readonly string[]
  readonly planTasks: readonly string[]
}

export interface CompletedPlan extends PlannedTasks {
  readonly planId: string
}

/** Throws `request-invalid` or `filter-invalid`. */
export async function planTableScan(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  state: TableState,
  json: unknown,
): Promise<CompletedPlan> {
  const spec = await scanSpecOf(deps, state, json)
  const planned = await planRange(deps, state.definition, { spec, range: WHOLE_SCAN })
  return { planId: encodePlanId(spec), ...planned }
}

/** Plans the scan of a plan id again, with the same result. Throws `plan-not-found`. */
export async function fetchPlan(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  state: TableState,
  planId: string,
): Promise<CompletedPlan> {
  requirePlan(state, planId)
  return { planId, ...(await planToken(deps, state, planId, planNotFound)) }
}

/** Only checks the id, since a plan holds no resources. Throws `plan-not-found`. */
export function requirePlan(state: TableState, planId: string): void {
  tokenOf(state, planId, planNotFound)
}

/** Throws `plan-task-not-found`. */
export function fetchScanTasks(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  state: TableState,
  planTask: string,
): Promise<PlannedTasks> {
  return planToken(deps, state, planTask, planTaskNotFound)
}

type NotFound = () => ProblemError

function planNotFound(): ProblemError {
  return new ProblemError('plan-not-found', 'The plan id does not exist')
}

function planTaskNotFound(): ProblemError {
  return new ProblemError('plan-task-not-found', 'The plan task does not exist')
}

async function planToken(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  state: TableState,
  text: string,
  notFound: NotFound,
): Promise<PlannedTasks> {
  const token = tokenOf(state, text, notFound)
  await requireSameContent(deps, state, token.spec, notFound)
  try {
    return await planRange(deps, state.definition, token)
  } catch (error) {
    // Something in the token no longer exists, or never did: anyone can make up a token.
    if (error instanceof CatalogError && GONE.has(error.code)) throw notFound()
    throw error
  }
}

/** The same pages are those of the same columns and manifests: ids alone may be given again. */
async function requireSameContent(
  { catalog }: Stores<'snapshots'>,
  { definition }: TableState,
  { snapshotId, schemaId, content }: ScanSpec,
  notFound: NotFound,
): Promise<void> {
  const { tableUuid } = definition
  const snapshot =
    snapshotId === undefined ? undefined : await catalog.snapshots.find(tableUuid, snapshotId)
  if (contentOf(getSchema(definition, schemaId), snapshot) !== content) throw notFound()
}

const GONE: ReadonlySet<string> = new Set(['filter-invalid', 'request-invalid'])

/** Parses a token, which must be for this table and one of its schemas. */
function tokenOf({ definition }: TableState, text: string, notFound: NotFound): PlanToken {
  const token = decodePlanToken(text)
  const isOfTable =
    token?.spec.tableUuid === definition.tableUuid &&
    definition.schemas.some(({ schemaId }) => schemaId === token.spec.schemaId)
  if (!isOfTable) throw notFound()
  return token
}

async function planRange(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  definition: TableDefinition,
  token: PlanToken,
): Promise<PlannedTasks> {
  const { spec, range } = token
  const turns = new Turns()
  const manifests = await manifestsOf(deps, definition, spec)
  const pruning = pruningOf(definition, spec)
  const { kept, rest } = await findFiles(deps, { manifests, pruning, range, turns })
  const page = new TaskPage({
    writer: new ContentFileWriter(definition, spec.statsFieldIds),
    deletes: await manifests.deletes(),
    residual: residualOf(spec.filter),
  })
  const written = await fillPage(page, kept, { spec, turns })
  const left = { kept, written, rest }
  return {
    fileScanTasks: page.tasks,
    deleteFiles: page.deleteFiles,
    planTasks: planTasksOf(token, left),
  }
}

/** Returns the number of files written. */
async function fillPage(
  page: TaskPage,
  kept: KeptFiles,
  { spec, turns }: { readonly spec: ScanSpec; readonly turns: Turns },
): Promise<number> {
  // Statistics are decoded only if requested.
  const metrics = spec.statsFieldIds.length > 0 ? undefined : []
  let written = 0
  for (const { decoded, rows } of kept.manifests) {
    for (const row of rows) {
      if (page.isFull) return written
      page.add(decoded.entry(row, metrics))
      written += 1
      await turns.take()
    }
  }
  return written
}

interface Pruning {
  readonly pruner: Pruner
  /** Comparisons for one file. */
  readonly cost: number
}

function pruningOf(definition: TableDefinition, spec: ScanSpec): Pruning | undefined {
  const { filter, caseSensitive } = spec
  const schema = definition.schemas.find(({ schemaId }) => schemaId === spec.schemaId)
  if (filter === undefined || schema === undefined) return undefined
  const bound = bindIcebergExpression(parseIcebergExpression(filter), { schema, caseSensitive })
  const affordable = affordableFilter(bound, FILTER_COST_MAX)
  const pruner = compilePruner({ filter: affordable, specs: definition.partitionSpecs })
  return { pruner, cost: filterCost(affordable) }
}

function residualOf(filter: unknown): string {
  const text = filter === undefined ? 'true' : stringifyExactJson(filter)
  return text.length > RESIDUAL_LENGTH_MAX ? '' : `,"residual-filter":${text}`
}

interface Scan {
  readonly manifests: ScanManifests
  readonly pruning: Pruning | undefined
  readonly range: ScanRange
  readonly turns: Turns
}

/**
 * The files of the range that the filter keeps, and the rest of the range once enough entries were
 * examined.
 */
async function findFiles(
  deps: Pick<LakeServices, 'manifests'>,
  scan: Scan,
): Promise<{ readonly kept: KeptFiles; readonly rest: ScanRange | undefined }> {
  const kept = new KeptFiles()
  const seenMax = Math.min(
    ENTRIES_PER_REQUEST_MAX,
    COMPARISONS_PER_REQUEST_MAX / Math.max(1, scan.pruning?.cost ?? 0),
  )
  let seen = 0
  for (const stretch of stretchesOf(scan)) {
    const { manifest, file, first } = stretch
    await scan.turns.take()
    if (scan.pruning?.pruner.manifestMayMatch(file) === false) continue
    if (seen >= seenMax) {
      return { kept, rest: { from: { manifest, entry: first }, to: scan.range.to } }
    }
    const decoded = await deps.manifests.getManifest(file)
    const end = Math.min(stretch.end, decoded.entryCount)
    const rows = await matchingRows(decoded, {
      pruner: scan.pruning?.pruner,
      start: first,
      end,
      isInScan: (row) => scan.manifests.isInScan(decoded, row),
      turns: scan.turns,
    })
    kept.add({ manifest, decoded, rows })
    seen += Math.max(0, end - first)
  }
  return { kept, rest: undefined }
}

interface Stretch {
  readonly manifest: number
  readonly file: ManifestFile
  readonly first: number
  /** The first entry after the range. */
  readonly end: number
}

/** The part of each manifest that is in the range. */
function* stretchesOf({ manifests, range: { from, to } }: Scan): Iterable<Stretch> {
  const last = Math.min(to?.manifest ?? Number.POSITIVE_INFINITY, manifests.data.length - 1)
  for (let manifest = from.manifest; manifest <= last; manifest++) {
    const file = manifests.data[manifest]
    if (file === undefined) continue
    const first = manifest === from.manifest ? from.entry : 0
    yield { manifest, file, first, end: manifest === to?.manifest ? to.entry : Infinity }
  }
}

/**
 * Plan tasks for the remaining pages; if they would be too much text, the last one covers all that
 * follow.
 */
function planTasksOf(
  { spec, range }: PlanToken,
  found: {
    readonly kept: KeptFiles
    readonly written: number
    readonly rest: ScanRange | undefined
  },
): readonly string[] {
  const ranges = pagesOf(found, found.rest?.from ?? range.to)
  if (found.rest !== undefined) ranges.push(found.rest)
  const [first] = ranges
  if (first === undefined) return []
  const length = encodePlanTask({ spec, range: first }).length
  const tasksMax = Math.max(1, Math.floor(PLAN_TASKS_LENGTH_MAX / length))
  const tasks = ranges.slice(0, tasksMax).map((each) => encodePlanTask({ spec, range: each }))
  const last = ranges[tasksMax - 1]
  if (ranges.length > tasksMax && last !== undefined) {
    tasks[tasksMax - 1] = encodePlanTask({ spec, range: { from: last.from, to: range.to } })
  }
  return tasks
}

/** Plan tasks for pages of as many files as the page just written. */
function pagesOf(
  { kept, written }: { readonly kept: KeptFiles; readonly written: number },
  end: Position | undefined,
): ScanRange[] {
  const starts = kept.everyNth(Math.min(Math.max(written, 1), TASKS_PER_PAGE_MAX), written)
  return starts.map((from, i) => ({ from, to: starts[i + 1] ?? end }))
}
