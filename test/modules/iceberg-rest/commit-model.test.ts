import { copyFile } from 'node:fs/promises'
import fc from 'fast-check'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { TableStore } from '../../../src/catalog/table-store.ts'
import { CatalogError } from '../../../src/core/errors.ts'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import type { TableCommitResult } from '../../../src/core/table/transaction.ts'
import { parseExactJson } from '../../../src/formats/json/exact-json.ts'
import { refsOf } from '../../../src/lake/publish/metadata-pieces.ts'
import { commitTable } from '../../../src/modules/iceberg-rest/commit-tables.ts'
import { createTable } from '../../../src/modules/iceberg-rest/create-table.ts'
import { loadTable } from '../../../src/modules/iceberg-rest/load-table.ts'
import { createNamespace } from '../../../src/modules/iceberg-rest/rest-namespaces.ts'
import { schemedVending } from '../../../src/objects/schemed-vending.ts'
import type { Lake } from '../../../src/service.ts'
import { queueOver } from '../../lake/compose.ts'
import { withStore } from '../../lake/failing-disk.ts'
import { commitFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import {
  applyToModel,
  EMPTY,
  type Intent,
  type Model,
  type Operation,
  parentOf,
  requestOf,
  schemaOf,
  type View,
} from './commit-model.ts'
import { writeAppend } from './http/engine-client.ts'
import type { Json } from './http/rest-client.ts'

/** Without an idempotency key, and allowed everything. */
const FREE_CALL = {
  keeper: KEEPS_NOTHING,
  authorize: () => Promise.resolve(),
  requirePaths: () => undefined,
}

type Fault = 'none' | 'lost-before' | 'lost-after' | 'broken'

/** What one client does in one round; the numbers choose among what it sees. */
interface Step {
  readonly kind: Exclude<Intent['kind'], 'files'>
  readonly process: 0 | 1
  /** Whether it has looked at the table in this round, or acts on what it saw in the one before. */
  readonly isFresh: boolean
  readonly fault: Fault
  readonly choice: number
}

const steps: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    'property',
    'append',
    'append',
    'append',
    'column',
    'tag',
    'remove-tag',
    'expire',
  ),
  process: fc.constantFrom(0, 1),
  isFresh: fc.boolean(),
  fault: fc.constantFrom('none', 'none', 'none', 'none', 'lost-before', 'lost-after', 'broken'),
  choice: fc.nat(7),
})
interface Round {
  readonly steps: readonly Step[]
  /** Files that are appended at the same time, each in a transaction of its own. */
  readonly files: number
}

const round: fc.Arbitrary<Round> = fc.record({
  steps: fc.array(steps, { minLength: 1, maxLength: 6 }),
  files: fc.constantFrom(0, 0, 1, 4),
})
const rounds = fc.array(round, {
  minLength: 2,
  maxLength: 8,
})

let shop: Workshop
let processes: readonly Lake[]
let tables = 0
let template = ''
/** Told of what the queues of the processes commit. */
let onFilesCommitted: (version: number, snapshotId: bigint) => void = () => undefined
beforeAll(async () => {
  shop = await openWorkshop()
  processes = [shop.deps, await shop.another()].map(withWatchedQueue)
  template = await writeParquet(`${shop.dataFolder}/template.parquet`, 'SELECT 1::BIGINT AS c1')
  const call = {
    keeper: KEEPS_NOTHING,
    authorize: () => Promise.resolve(),
    requirePaths: () => undefined,
  }
  await createNamespace(shop.deps, { namespace: ['m'] }, call)
})
afterAll(() => shop.close())

test('commits of several clients, with faults, leave what a serial order would', async () => {
  await fc.assert(fc.asyncProperty(rounds, runRounds), { numRuns: 25 })
}, 120_000)

/** Commits through REST and of files take their turns in one queue, as in the service. */
function withWatchedQueue(deps: Lake): Lake {
  const commit: TableStore['commit'] = async (work, options) => {
    const outcome = await deps.catalog.tables.commit(work, options)
    const [table] = work.tables
    const snapshotId = table?.newSnapshots[0]?.snapshotId
    if (outcome.outcome === 'committed' && table !== undefined && snapshotId !== undefined) {
      onFilesCommitted(table.state.version, snapshotId)
    }
    return outcome
  }
  const watched = { ...deps, catalog: withStore(deps.catalog, 'tables', { commit }) }
  return { ...deps, commits: queueOver(watched) }
}

async function runRounds(all: readonly Round[]): Promise<void> {
  const run = new Run(`t${++tables}`)
  await run.start()
  for (const round of all) await run.play(round)
  await run.finish()
}

/** One table and its model; the catalog says in which order the commits took effect. */
class Run {
  readonly #name: { namespace: readonly string[]; name: string }
  /** By version. */
  readonly #history: Model[] = [EMPTY]
  #viewBefore: View = EMPTY
  #operations = 0
  #files = 0
  #metadata: Json
  readonly #locations = new Set<string>()

  constructor(name: string) {
    this.#name = { namespace: ['m'], name }
  }

  get #newest(): Model {
    return this.#history.at(-1) ?? EMPTY
  }

  async start(): Promise<void> {
    const json = { name: this.#name.name, schema: schemaOf(1) }
    await createTable(shop.deps, { namespace: ['m'], json }, KEEPS_NOTHING)
    await this.#look()
  }

  async play({ steps: round, files }: Round): Promise<void> {
    const first = this.#history.length - 1
    const applied = new Map<number, Operation>()
    const work = round.map((step) => ({ step, operation: this.#operationOf(step) }))
    this.#viewBefore = this.#newest
    onFilesCommitted = (version, snapshotId) => {
      const intent = { kind: 'files', snapshotId } as const
      applied.set(version, { key: `version-${version}`, view: EMPTY, intent })
    }
    const appends = Array.from({ length: files }, (_, i) => this.#appendFile(i))
    const outcomes = await Promise.all(work.map((w) => this.#commit(w, applied)))
    const appended = await Promise.all(appends)
    for (let version = first + 1; version <= first + applied.size; version++) {
      const operation = applied.get(version)
      if (operation === undefined) throw new Error(`nobody made version ${version}`)
      const next = applyToModel(this.#newest, operation)
      if (typeof next === 'string') throw new Error(`version ${version} should be ${next}`)
      this.#history.push(next)
    }
    for (const [index, outcome] of outcomes.entries()) {
      const { operation, step } = work[index] as (typeof work)[number]
      this.#judge({ operation, step, outcome, first, applied: [...applied.values()] })
    }
    // None is refused, however the others race, and each has its own counts.
    for (const [result, ...others] of appended) {
      expect(others).toEqual([])
      expect(result).toMatchObject({ addedDataFiles: 1, addedRecords: 1, operation: 'append' })
      expect(
        this.#history.slice(first).some((m) => m.refs.get('main') === result?.snapshotId),
      ).toBe(true)
    }
    await this.#look()
  }

  async #appendFile(index: number): Promise<readonly TableCommitResult[]> {
    const path = `${shop.dataFolder}/${this.#name.name}-${++this.#files}.parquet`
    await copyFile(template, path)
    const deps = processes[index % 3 === 2 ? 1 : 0] as Lake
    const { results } = await commitFiles(deps, { table: `m.${this.#name.name}`, paths: [path] })
    return results
  }

  async finish(): Promise<void> {
    const { metadata } = this.#metadata
    const times = metadata['snapshot-log'].map((entry: Json) => entry['timestamp-ms'])
    expect(times).toEqual([...new Set<number>(times)].sort((a, b) => a - b))
    const sequenceNumbers = metadata.snapshots
      .filter((s: Json) => s['parent-snapshot-id'] !== undefined)
      .map((s: Json) => s['sequence-number'])
    expect(new Set(sequenceNumbers).size).toBe(sequenceNumbers.length)
    for (const snapshot of metadata.snapshots) await this.#requireWhole(snapshot)
  }

  async #requireWhole(snapshot: Json): Promise<void> {
    const manifests = await shop.deps.manifests.getManifestList(snapshot['manifest-list'])
    const paths = [snapshot['manifest-list'], ...manifests.map(({ path }) => path)]
    const known = await shop.deps.catalog.paths.findKnown(metadataUuid(this.#metadata), paths)
    expect([...known].sort()).toEqual(paths.sort())
  }

  #operationOf({ kind, isFresh, choice }: Step): Operation {
    const view = isFresh ? this.#newest : this.#viewBefore
    this.#operations += 1
    const key = `op-${this.#operations}`
    const heads = new Set(['main', 'dev'].map((branch) => view.refs.get(branch)))
    const old = view.snapshots.filter((id) => !heads.has(id))
    const pick = (ids: readonly bigint[]) => ids[choice % Math.max(1, ids.length)]
    const property: Operation = { key, view, intent: { kind: 'property' } }
    if (kind === 'append') {
      const branch = choice < 5 ? 'main' : 'dev'
      const snapshotId = BigInt(this.#operations) * 4_503_599_627_370_497n
      return { key, view, intent: { kind, branch, snapshotId } }
    }
    if (kind === 'column') return { key, view, intent: { kind } }
    if (kind === 'remove-tag') return { key, view, intent: { kind, name: `tag-${choice % 3}` } }
    const snapshotId = kind === 'tag' ? pick(view.snapshots) : pick(old)
    if (snapshotId === undefined || kind === 'property') return property
    if (kind === 'expire') return { key, view, intent: { kind, snapshotId } }
    return { key, view, intent: { kind, name: `tag-${choice % 3}`, snapshotId } }
  }

  async #commit(
    { step, operation }: { step: Step; operation: Operation },
    applied: Map<number, Operation>,
  ): Promise<TableState | CatalogError | Error> {
    const deps = processes[step.process] as Lake
    const catalog = faultyCatalog(deps.catalog, step.fault, (version) => {
      applied.set(version, operation)
    })
    const json = requestOf(operation, await this.#snapshotOf(operation))
    try {
      const vending = schemedVending(new Map())
      const services = { ...deps, catalog, vending, deleteGraceMs: 0 }
      return await commitTable(services, { name: this.#name, json }, FREE_CALL)
    } catch (error) {
      if (error instanceof Error) return error
      throw error
    }
  }

  async #snapshotOf({ view, intent }: Operation): Promise<Json> {
    if (intent.kind !== 'append') return undefined
    const { snapshotId, branch } = intent
    const seen = { ...this.#metadata.metadata, 'last-sequence-number': view.sequenceNumber }
    const files = [`file://${shop.dataFolder}/${this.#name.name}/${snapshotId}`]
    const written = await writeAppend(seen, { snapshotId, files, parent: parentOf(view, branch) })
    return written.json
  }

  #judge({
    operation,
    step,
    outcome,
    first,
    applied,
  }: {
    readonly operation: Operation
    readonly step: Step
    readonly outcome: TableState | Error
    readonly first: number
    readonly applied: readonly Operation[]
  }): void {
    const isApplied = applied.includes(operation)
    if (!(outcome instanceof Error)) {
      expect(isApplied).toBe(true)
      expect(shapeOf(outcome)).toEqual(shapeOfModel(this.#history[outcome.version] as Model))
      return
    }
    const code = outcome instanceof CatalogError ? outcome.code : 'broken'
    if (code === 'broken' || code === 'commit-state-unknown') {
      expect([step.fault, isApplied]).toEqual([step.fault, step.fault === 'lost-after'])
      expect(step.fault).not.toBe('none')
      return
    }
    expect(isApplied).toBe(false)
    const reasons = this.#history.slice(first).map((model) => applyToModel(model, operation))
    expect(reasons).toContain(code)
  }

  /** The table as clients load it is what the model says. */
  async #look(): Promise<void> {
    const [{ catalog }] = processes as [Lake]
    const state = await catalog.tables.find(this.#name)
    if (state === undefined) throw new Error('the table is gone')
    expect(state.version).toBe(this.#history.length - 1)
    expect(shapeOf(state)).toEqual(shapeOfModel(this.#newest))
    const loaded = await loadTable(shop.deps, state, 'all')
    if (loaded === undefined) throw new Error('the table is gone')
    const metadata = parseExactJson(new TextDecoder().decode(Buffer.concat(loaded.json))) as Json
    const ids = metadata.snapshots.map((s: Json) => BigInt(s['snapshot-id']))
    expect(ids.sort()).toEqual([...this.#newest.snapshots].sort())
    const isNew = this.#metadata?.location !== loaded.metadataLocation
    expect(isNew).toBe(this.#metadata?.version !== state.version)
    if (isNew) expect(this.#locations.has(loaded.metadataLocation)).toBe(false)
    this.#locations.add(loaded.metadataLocation)
    this.#metadata = { metadata, location: loaded.metadataLocation, version: state.version }
  }
}

function metadataUuid({ metadata }: Json): string {
  return metadata['table-uuid']
}

/** The commit happens or not, and its reply arrives or not. */
function faultyCatalog(
  catalog: Catalog,
  fault: Fault,
  onApplied: (version: number) => void,
): Catalog {
  const commit: TableStore['commit'] = async (work, options) => {
    const lost = new CatalogError('commit-state-unknown', 'the answer was lost')
    if (fault === 'lost-before') throw lost
    if (fault === 'broken') throw new Error('the database broke down')
    const outcome = await catalog.tables.commit(work, options)
    if (outcome.outcome === 'committed') {
      for (const { state } of work.tables) onApplied(state.version)
      if (fault === 'lost-after') throw lost
    }
    return outcome
  }
  return withStore(catalog, 'tables', { commit })
}

function shapeOf(state: TableState) {
  const { definition } = state
  const marks = Object.entries(definition.properties).filter(([key]) => key.startsWith('op-'))
  return {
    properties: Object.fromEntries(marks),
    lastColumnId: definition.lastColumnId,
    schemaId: definition.currentSchemaId,
    sequenceNumber: state.lastSequenceNumber,
    refs: Object.fromEntries(Object.entries(refsOf(state)).map(([n, r]) => [n, r.snapshotId])),
  }
}

function shapeOfModel({ properties, lastColumnId, schemaId, sequenceNumber, refs }: Model) {
  return {
    properties: Object.fromEntries(properties),
    lastColumnId,
    schemaId,
    sequenceNumber,
    refs: Object.fromEntries(refs),
  }
}
