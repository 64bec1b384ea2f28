import { linkSync } from 'node:fs'
import { join } from 'node:path'
import { callService, outcomeOf, type Told } from './caller.ts'
import type { AddedFile, TableChange } from './history.ts'
import type { Random } from './random.ts'
import type { Begun, Recorder } from './recorder.ts'
import { appendByRest, type EngineFiles } from './rest-append.ts'

export interface Place {
  /** URLs of all processes of the service at this moment. */
  readonly urls: () => readonly string[]
  readonly tables: readonly string[]
  /**
   * Parquet files, the first of one record, and the folder where each append gets names of its own
   * for them.
   */
  readonly templates: readonly { readonly path: string; readonly records: number }[]
  readonly folder: string
  /** Where what engines write is not in folders. */
  readonly files?: EngineFiles
  /** Resolves while the service runs. */
  readonly ready: () => Promise<void>
  /** No more work, nor another attempt. */
  readonly isOver: () => boolean
}

const WEIGHTS = {
  ...{ append: 40, 'append cut': 4, steps: 12, 'steps cut': 5, 'steps twice': 3, several: 10 },
  ...{ replace: 5, truncate: 2, remove: 6, 'remove in steps': 3, 'abort or commit': 4, abort: 2 },
  ...{ 'rest append': 7, 'rest several': 3, read: 8, 'look back': 4 },
} as const

const FILES_MAX = 3
const CUT_MS_MAX = 25
/** Attempts at a commit whose reply is lost each time. */
const ATTEMPTS_MAX = 8

type Ending = 'commit' | 'cut' | 'twice' | 'abort' | 'race'

/** One client that does one random thing after another, and records the replies. */
export class Client {
  readonly #place: Place
  readonly #recorder: Recorder
  readonly #random: Random
  readonly #name: string
  /** Times of snapshots that it has seen in replies. */
  readonly #moments: { readonly table: string; readonly timestampMs: number }[] = []
  #files = 0

  constructor(
    name: string,
    { place, recorder, random }: { place: Place; recorder: Recorder; random: Random },
  ) {
    this.#name = name
    this.#place = place
    this.#recorder = recorder
    this.#random = random
  }

  async work(): Promise<void> {
    while (!this.#place.isOver()) {
      await this.#place.ready()
      await this.#act(this.#random.weighted(WEIGHTS))
    }
  }

  #act(kind: keyof typeof WEIGHTS): Promise<void> {
    switch (kind) {
      case 'append':
        return this.#append().then(() => undefined)
      case 'append cut':
        return this.#appendAndRetry()
      case 'steps':
        return this.#steps(kind, [this.#addition()], 'commit')
      case 'steps cut':
        return this.#steps(kind, this.#mixture(), 'cut')
      case 'steps twice':
        return this.#steps(kind, [this.#addition()], 'twice')
      case 'several':
        return this.#steps(kind, this.#mixture(), 'commit')
      case 'replace':
        return this.#steps(kind, [{ ...this.#addition(), truncates: true }], 'commit')
      case 'abort':
        return this.#steps(kind, this.#mixture(), 'abort')
      case 'abort or commit':
        return this.#steps(kind, this.#mixture(), 'race')
      case 'truncate':
        return this.#truncate()
      case 'remove':
      case 'remove in steps':
        return this.#remove(kind)
      case 'rest append':
        return this.#rest(kind, 1)
      case 'rest several':
        return this.#rest(kind, 2)
      case 'read':
        return this.#read(this.#random.pick(this.#place.tables)).then(() => undefined)
      case 'look back':
        return this.#lookBack()
    }
  }

  async #append(addition = this.#addition(), cutAfterMs?: number): Promise<Told> {
    const begun = this.#recorder.begin(cutAfterMs === undefined ? 'append' : 'append cut', [
      addition,
    ])
    const told = await this.#post(`/v1/tables/${addition.table}/files`, {
      json: { files: filesOf(addition), message: begun.id },
      ...(cutAfterMs !== undefined && { cutAfterMs }),
    })
    this.#settle(begun, told)
    return told
  }

  /** The reply does not come, and the client tries again with the same files. */
  async #appendAndRetry(): Promise<void> {
    const addition = this.#addition()
    const told = await this.#append(addition, this.#random.below(CUT_MS_MAX))
    await this.#place.ready()
    if (outcomeOf(told) === 'unknown' && !this.#place.isOver()) await this.#append(addition)
  }

  async #truncate(): Promise<void> {
    const table = this.#random.pick(this.#place.tables)
    const isolation = this.#random.pick(['snapshot', 'overwrite'])
    const overwrites = isolation === 'overwrite'
    const change = { table, added: [], removed: [], truncates: true, overwrites }
    const begun = this.#recorder.begin('truncate', [change])
    const json = { message: begun.id, isolation }
    this.#settle(begun, await this.#post(`/v1/tables/${table}/files/truncate`, { json }))
  }

  async #remove(kind: 'remove' | 'remove in steps'): Promise<void> {
    const table = this.#random.pick(this.#place.tables)
    const reading = await this.#read(table)
    const removed = this.#random.some(reading?.files ?? [], 1 + this.#random.below(FILES_MAX))
    if (removed.length === 0) return
    const change = { table, added: [], removed, truncates: false, overwrites: false }
    if (kind === 'remove in steps') return this.#steps(kind, [change], 'commit')
    const begun = this.#recorder.begin(kind, [change])
    const json = { files: removed.map((path) => ({ path })), message: begun.id }
    this.#settle(begun, await this.#post(`/v1/tables/${table}/files/remove`, { json }))
  }

  async #steps(kind: string, changes: readonly TableChange[], ending: Ending): Promise<void> {
    const isolation = this.#random.pick(['snapshot', 'overwrite'] as const)
    const overwrites = isolation === 'overwrite'
    const begun = this.#recorder.begin(
      kind,
      changes.map((change) => ({ ...change, overwrites })),
    )
    const json = { message: begun.id, isolation }
    const started = await this.#post('/v1/transactions/start', { json })
    this.#recorder.note(started)
    const transactionId: string | undefined = started.body?.transaction_id
    if (transactionId === undefined) return this.#recorder.giveUp(begun)
    const staged: TableChange[] = []
    for (const change of this.#random.some(begun.changes, changes.length)) {
      const touchedAt = await this.#stage(change, transactionId)
      if (touchedAt === undefined) return this.#recorder.giveUp(begun)
      const isChecked = !overwrites && (change.truncates || change.removed.length > 0)
      staged.push({ ...change, ...(isChecked && { touchedBy: touchedAt }) })
    }
    await this.#end({ ...begun, changes: staged }, transactionId, ending)
  }

  /** When the first step got its reply; `undefined` when not everything is staged. */
  async #stage(change: TableChange, transactionId: string): Promise<number | undefined> {
    const { table, added, removed, truncates } = change
    const steps: [string, object][] = []
    if (truncates) steps.push(['/truncate', {}])
    if (removed.length > 0) steps.push(['/remove', { files: removed.map((path) => ({ path })) }])
    if (added.length > 0) steps.push(['', { files: filesOf(change) }])
    let touchedAt: number | undefined
    for (const [step, body] of steps) {
      const json = { ...body, transaction_id: transactionId }
      const told = await this.#post(`/v1/tables/${table}/files${step}`, { json })
      this.#recorder.note(told)
      if (told.status !== 200) return undefined
      touchedAt ??= told.answeredAt
    }
    return touchedAt
  }

  async #end(begun: Begun, transactionId: string, ending: Ending): Promise<void> {
    const json = { transaction_id: transactionId }
    const abort = () => this.#post('/v1/transactions/abort', { json })
    const commit = () => this.#post('/v1/transactions/commit', { json })
    if (ending === 'abort') {
      await abort()
      return this.#recorder.giveUp(begun)
    }
    if (ending === 'race') {
      const [committed, aborted] = await Promise.all([commit(), abort()])
      this.#settle(begun, committed)
      const isBoth = outcomeOf(committed) === 'committed' && outcomeOf(aborted) === 'committed'
      if (isBoth) this.#contradict(`${begun.id}: committed and aborted`)
      return
    }
    const cutAfterMs = this.#random.below(CUT_MS_MAX)
    const first = await this.#post('/v1/transactions/commit', {
      json,
      ...(ending === 'cut' && { cutAfterMs }),
    })
    const last = await this.#again(first, commit)
    this.#settle(begun, last, first.calledAt)
    if (ending === 'twice') await this.#repeat(begun, { last, again: await commit() })
  }

  /** Repeats a commit until it gets a reply. */
  async #again(first: Told, commit: () => Promise<Told>): Promise<Told> {
    let told = first
    for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
      if (outcomeOf(told) !== 'unknown' || this.#place.isOver()) return told
      await this.#place.ready()
      told = await commit()
    }
    return told
  }

  async #repeat(begun: Begun, { last, again }: { last: Told; again: Told }): Promise<void> {
    if (outcomeOf(last) !== 'committed' || outcomeOf(again) === 'unknown') return
    const isSame = JSON.stringify(last.body) === JSON.stringify(again.body)
    if (!isSame) this.#contradict(`${begun.id}: committing again was answered otherwise`)
  }

  async #rest(kind: string, tables: number): Promise<void> {
    const changes = this.#random
      .some(this.#place.tables, tables)
      .map((table) => this.#addition(table, this.#place.templates.slice(0, 1)))
    const begun = this.#recorder.begin(kind, changes)
    const url = this.#random.pick(this.#place.urls())
    const told = await appendByRest(url, begun, this.#random, this.#place.files)
    if (told === undefined) return this.#recorder.giveUp(begun)
    this.#settle(begun, told)
  }

  async #read(table: string) {
    const told = await callService(`${this.#random.pick(this.#place.urls())}/v1/tables/${table}`)
    return this.#recorder.read(table, told)
  }

  async #lookBack(): Promise<void> {
    if (this.#moments.length === 0) return
    const { table, timestampMs } = this.#random.pick(this.#moments)
    const asAtMs = timestampMs - this.#random.below(2)
    const url = this.#random.pick(this.#place.urls())
    const told = await callService(`${url}/v1/tables/${table}?as_at=${asAtMs}`)
    this.#recorder.read(table, told, asAtMs)
  }

  #settle(begun: Begun, told: Told, calledAt?: number): void {
    const { results = [] } = this.#recorder.settle(begun, told, calledAt)
    this.#moments.push(...results)
  }

  #contradict(what: string): void {
    this.#recorder.contradictions.push(what)
  }

  #post(path: string, asking: { readonly json: unknown; readonly cutAfterMs?: number }) {
    return callService(this.#random.pick(this.#place.urls()) + path, asking)
  }

  /** Additions to up to all tables, some of which are truncated as well. */
  #mixture(): TableChange[] {
    const { tables } = this.#place
    return this.#random.some(tables, 1 + this.#random.below(tables.length)).map((table) => ({
      ...this.#addition(table),
      truncates: this.#random.below(8) === 0,
    }))
  }

  #addition(
    table = this.#random.pick(this.#place.tables),
    templates = this.#place.templates,
  ): TableChange {
    const count = 1 + this.#random.below(FILES_MAX)
    const added = Array.from({ length: count }, () => this.#newFile(this.#random.pick(templates)))
    return { table, added, removed: [], truncates: false, overwrites: false }
  }

  #newFile({ path, records }: Place['templates'][number]): AddedFile {
    const name = join(this.#place.folder, `${this.#name}-${++this.#files}.parquet`)
    linkSync(path, name)
    return { path: `file://${name}`, records }
  }
}

function filesOf({ added }: TableChange): { path: string }[] {
  return added.map(({ path }) => ({ path }))
}
