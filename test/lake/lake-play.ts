import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import fc from 'fast-check'
import { CatalogError } from '../../src/core/errors.ts'
import { stageRemoval, stageTruncation } from '../../src/lake/commit/staging.ts'
import { commitTransaction, startTransaction } from '../../src/lake/commit/transactions.ts'
import { cloneTable } from '../../src/modules/tables/clone-table.ts'
import { evolveTable } from '../../src/modules/tables/evolve-table.ts'
import { readTable, rollbackTable } from '../../src/modules/tables/tables.ts'
import { type Lake, liveNames } from './lake.ts'
import { stageFiles } from './trusted-caller.ts'
import type { Workshop, WorkshopDependencies } from './workshop.ts'

export const FILES = 24
export const RECORDS = 10

export type Step =
  | { readonly kind: 'start'; readonly overwrite: boolean }
  | { readonly kind: 'add'; readonly open: number; readonly files: readonly number[] }
  | { readonly kind: 'remove'; readonly open: number; readonly file: number }
  | { readonly kind: 'truncate' | 'commit'; readonly open: number }
  | { readonly kind: 'commit all' | 'evolve' | 'next process' }
  | { readonly kind: 'rollback' | 'clone'; readonly to: number }

const index = fc.nat({ max: 1000 })
/** What transactions, two processes and readers of a table may do. */
export const STEPS = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('start' as const), overwrite: fc.boolean() }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        ...{ kind: fc.constant('add' as const), open: index },
        files: fc.uniqueArray(fc.nat({ max: FILES - 1 }), { minLength: 1, maxLength: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('remove' as const), open: index, file: index }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), open: index }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), open: index }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('commit all' as const, 'evolve' as const, 'next process' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('rollback' as const, 'clone' as const),
        to: index,
      }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 10, maxLength: 45, size: 'max' },
)

/** What a transaction means to do; whether it may is the table's to say. */
interface OpenTransaction {
  readonly transactionId: string
  readonly overwrite: boolean
  readonly added: Set<string>
  readonly removed: Set<string>
  truncates: boolean
  base: bigint | null | undefined
}

/** A table as simple as can be: which files each snapshot has. */
class Model {
  readonly filesBySnapshot = new Map<bigint, ReadonlySet<string>>()
  current: bigint | null = null

  get live(): ReadonlySet<string> {
    return this.current === null
      ? new Set()
      : (this.filesBySnapshot.get(this.current) as Set<string>)
  }

  accepts(open: OpenTransaction): boolean {
    const isChecked = open.truncates || open.removed.size > 0
    if (isChecked && !open.overwrite && open.base !== this.current) return false
    if (open.truncates) return true
    return [...open.added].every((name) => !this.live.has(name) || open.removed.has(name))
  }

  after(open: OpenTransaction): Set<string> {
    const kept = open.truncates ? [] : [...this.live].filter((name) => !open.removed.has(name))
    return new Set([...kept, ...open.added])
  }
}

/** The files that are played with. */
export async function writeFiles(lake: Lake, shop: Workshop): Promise<void> {
  const first = await lake.numbers(shop, 'f0', 0, RECORDS)
  for (let i = 1; i < FILES; i++) await copyFile(first, `${shop.dataFolder}/f${i}.parquet`)
}

/** Plays steps on the service and on the model at once. */
export class Play {
  readonly model = new Model()
  readonly #open: OpenTransaction[] = []
  readonly #shop: Workshop
  readonly #processes: readonly WorkshopDependencies[]
  #turn = 0
  #columns = 0
  #table: string
  #clones = 0

  constructor(table: string, shop: Workshop, processes: readonly WorkshopDependencies[]) {
    this.#table = table
    this.#shop = shop
    this.#processes = processes
  }

  get table(): string {
    return this.#table
  }

  /** The process that acts now. */
  get deps(): WorkshopDependencies {
    return this.#processes[this.#turn % this.#processes.length] as WorkshopDependencies
  }

  async do(step: Step): Promise<void> {
    const open = 'open' in step ? this.#open[step.open % Math.max(1, this.#open.length)] : undefined
    if ('open' in step && open === undefined) return
    switch (step.kind) {
      case 'start':
        return this.#start(step.overwrite)
      case 'add':
        return this.#add(
          open as OpenTransaction,
          step.files.map((file) => `f${file}`),
        )
      case 'remove':
        return this.#remove(open as OpenTransaction, step.file)
      case 'truncate':
        return this.#truncate(open as OpenTransaction)
      case 'commit':
        return this.#commit(open as OpenTransaction)
      case 'commit all':
        return this.#commitAppends()
      case 'evolve':
        await evolveTable(this.deps, this.#table, {
          changes: [{ op: 'add', column: { name: `c${++this.#columns}`, type: 'long' } }],
        })
        return
      case 'next process':
        this.#turn++
        return
      default:
        return this.#travel(step)
    }
  }

  async #start(overwrite: boolean): Promise<void> {
    const isolation = overwrite ? 'overwrite' : 'snapshot'
    const { transactionId } = await startTransaction(this.deps, { isolation })
    this.#open.push({
      ...{ transactionId, overwrite, truncates: false, base: undefined },
      added: new Set(),
      removed: new Set(),
    })
  }

  async #add(open: OpenTransaction, names: readonly string[]): Promise<void> {
    const { live } = this.model
    const isTaken = (name: string) =>
      open.added.has(name) || (live.has(name) && !open.truncates && !open.removed.has(name))
    const staging = stageFiles(this.deps, {
      ...this.#target(open),
      paths: names.map((name) => this.#pathOf(name)),
    })
    const isStaged = await succeeds(staging, 'file-already-in-table')
    expect(isStaged).toBe(!names.some(isTaken))
    if (!isStaged) return
    this.#touch(open)
    for (const name of names) open.added.add(name)
  }

  async #remove(open: OpenTransaction, file: number): Promise<void> {
    const name = [...this.model.live][file % Math.max(1, this.model.live.size)]
    if (name === undefined) return
    await stageRemoval(this.deps, { ...this.#target(open), paths: [this.#pathOf(name)] })
    this.#touch(open)
    open.removed.add(name)
  }

  async #truncate(open: OpenTransaction): Promise<void> {
    await stageTruncation(this.deps, this.#target(open))
    this.#touch(open)
    open.truncates = true
  }

  #target({ transactionId }: OpenTransaction) {
    return { table: this.#table, transactionId }
  }

  #touch(open: OpenTransaction): void {
    if (open.base === undefined) open.base = this.model.current
  }

  async #commit(open: OpenTransaction): Promise<void> {
    const isExpected = this.model.accepts(open)
    const after = this.model.after(open)
    const before = this.model.live
    const attempt = commitTransaction(this.deps, open.transactionId)
    const results = await attempt.catch((error: unknown) => {
      if (!isExpected && error instanceof CatalogError) return undefined
      throw error
    })
    expect(results !== undefined).toBe(isExpected)
    this.#open.splice(this.#open.indexOf(open), 1)
    const [result] = results ?? []
    expect(result !== undefined).toBe(isExpected && !sameSet(before, after))
    if (result !== undefined) this.#record(result.snapshotId, after)
  }

  /** All that only add, at once, over both processes: they may share snapshots. */
  async #commitAppends(): Promise<void> {
    const taken = new Set(this.model.live)
    const appends = this.#open.filter((open) => {
      const isFree = [...open.added].every((name) => !taken.has(name))
      const isAppend = isFree && open.added.size > 0 && !open.truncates && open.removed.size === 0
      if (isAppend) for (const name of open.added) taken.add(name)
      return isAppend
    })
    const results = await Promise.all(
      appends.map((open, i) => {
        const deps = this.#processes[i % this.#processes.length] as WorkshopDependencies
        return commitTransaction(deps, open.transactionId)
      }),
    )
    const ordered = results
      .flatMap(([result], i) => (result ? [{ result, open: appends[i] as OpenTransaction }] : []))
      .sort((x, y) => Number(x.result.sequenceNumber - y.result.sequenceNumber))
    const files = new Set(this.model.live)
    for (const { result, open } of ordered) {
      for (const name of open.added) files.add(name)
      this.#record(result.snapshotId, new Set(files))
      this.#open.splice(this.#open.indexOf(open), 1)
    }
  }

  async #travel(step: { readonly kind: 'rollback' | 'clone'; readonly to: number }): Promise<void> {
    const snapshots = [...this.model.filesBySnapshot.keys()]
    const to = snapshots[step.to % Math.max(1, snapshots.length)]
    if (to === undefined) return
    const snapshotIdentifier = String(to)
    if (step.kind === 'rollback') {
      await rollbackTable(this.deps, this.#table, { snapshotIdentifier })
    } else {
      // From here on the play is the clone's; what was staged for the source stays behind.
      const name = `${this.#table}_c${++this.#clones}`
      await cloneTable(this.deps, { table: this.#table, name, snapshotIdentifier })
      this.#table = name
      this.#open.length = 0
      for (const id of snapshots) if (id !== to) this.model.filesBySnapshot.delete(id)
    }
    this.model.current = to
  }

  #pathOf(name: string): string {
    return `${this.#shop.dataFolder}/${name}.parquet`
  }

  #record(snapshotId: bigint, files: ReadonlySet<string>): void {
    this.model.filesBySnapshot.set(snapshotId, files)
    this.model.current = snapshotId
  }
}

async function succeeds(attempt: Promise<unknown>, refusedWith: string): Promise<boolean> {
  return attempt.then(
    () => true,
    (error: unknown) => {
      if (error instanceof CatalogError && error.code === refusedWith) return false
      throw error
    },
  )
}

function sameSet(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every((name) => right.has(name))
}

/** Holds what a fresh process reads against the model, at every snapshot. */
export async function expectModel(
  deps: WorkshopDependencies,
  { model, table }: Play,
): Promise<void> {
  const { state } = await readTable(deps, { table })
  const snapshots = await deps.catalog.snapshots.list(state.definition.tableUuid)
  expect(snapshots.map((s) => s.snapshotId).sort()).toEqual(
    [...model.filesBySnapshot.keys()].sort(),
  )
  expect(state.currentSnapshot?.snapshotId ?? null).toBe(model.current)
  expectIncreasing(snapshots.map((snapshot) => snapshot.sequenceNumber))
  expectIncreasing(snapshots.map((snapshot) => BigInt(snapshot.timestampMs)))
  for (const snapshot of snapshots) {
    const files = model.filesBySnapshot.get(snapshot.snapshotId) as ReadonlySet<string>
    const snapshotIdentifier = String(snapshot.snapshotId)
    expect(await liveNames({ deps }, table, { snapshotIdentifier })).toEqual([...files].sort())
    expect(snapshot.summary).toMatchObject({
      'total-data-files': String(files.size),
      'total-records': String(files.size * RECORDS),
    })
    await expectFilesExist(deps, snapshot.manifestList)
  }
}

function expectIncreasing(numbers: readonly bigint[]): void {
  for (const [i, number] of numbers.entries()) {
    if (i > 0) expect(number).toBeGreaterThan(numbers[i - 1] as bigint)
  }
}

async function expectFilesExist(deps: WorkshopDependencies, manifestList: string): Promise<void> {
  for (const file of await deps.manifests.getManifestList(manifestList)) {
    expect(existsSync(file.path.slice('file://'.length))).toBe(true)
    const manifest = await deps.manifests.getManifest(file)
    for (let i = 0; i < manifest.entryCount; i++) {
      expect(existsSync(manifest.path(i).slice('file://'.length))).toBe(true)
      if (!manifest.isLive(i)) continue
      const { sequenceNumber } = manifest.entry(i)
      expect(sequenceNumber).toBeGreaterThanOrEqual(file.minSequenceNumber)
      expect(sequenceNumber).toBeLessThanOrEqual(file.sequenceNumber)
    }
  }
}
