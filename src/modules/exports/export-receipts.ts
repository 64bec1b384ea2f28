import { mapBounded } from '../../core/bounded.ts'
import { sortInTurns, Turns } from '../../core/turns.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type ExportReceipt, Receipt, readJson } from './export-note.ts'
import { type NamedFile, readFileName, runOfStaged, UNFINISHED } from './file-name.ts'

const READS_AT_ONCE = 16
const NAMELESS_READ_MAX = 2_000

export interface ReceiptDependencies {
  readonly objects: Pick<ObjectStore, 'find' | 'list' | 'read'>
  /** The folder of all tasks in the warehouse. */
  readonly root: string
  /** Whether the file of the receipt has its name, wherever it is, as far as anybody can look. */
  mayBeThere(receipt: ExportReceipt): Promise<boolean>
}

/** What is known of archived files: a receipt of each in the warehouse, wherever the file is. */
export class ExportReceipts {
  readonly #deps: ReceiptDependencies

  constructor(deps: ReceiptDependencies) {
    this.#deps = deps
  }

  /** Receipts of archived files by the times in their names, the last first. */
  async list(
    task: string,
    { before, limit }: { readonly before: string | undefined; readonly limit: number },
  ): Promise<readonly ExportReceipt[]> {
    const named = await this.#archived(task)
    const last = before === undefined ? undefined : readFileName(before).timeOrder
    const earlier = named.filter(({ timeOrder }) => last === undefined || timeOrder < last)
    return this.#read(task, earlier.reverse().slice(0, limit))
  }

  /**
   * Receipts of the files of one run, in the order of their parts. One whose name is the seed's,
   * and so tells no run, is found among the last 2,000 of these.
   */
  async listOfRun(
    task: string,
    runId: string,
    { after, limit }: { readonly after: string | undefined; readonly limit: number },
  ): Promise<readonly ExportReceipt[]> {
    const named = await this.#archived(task)
    const parts = await partsOf(named, runId)
    const last = after === undefined ? undefined : readFileName(after).partOrder
    const left = parts.filter(({ partOrder }) => last === undefined || partOrder > last)
    const found = await this.#ofRun(runId, { task, named: left, limit })
    if (found.length > 0 || after !== undefined) return found
    const nameless = named.filter(({ run }) => run === undefined).reverse()
    return this.#ofRun(runId, { task, named: nameless.slice(0, NAMELESS_READ_MAX), limit: 1 })
  }

  /** The same of a run of several parts, all of them. */
  async listParts(task: string, runId: string): Promise<readonly ExportReceipt[]> {
    const named = await partsOf(await this.#archived(task), runId)
    return this.#ofRun(runId, { task, named, limit: named.length })
  }

  /** Reads no more than it needs to. */
  async #ofRun(
    runId: string,
    asked: {
      readonly task: string
      readonly named: readonly NamedFile[]
      readonly limit: number
    },
  ): Promise<readonly ExportReceipt[]> {
    const { task, named, limit } = asked
    const found: ExportReceipt[] = []
    for (let at = 0; at < named.length && found.length < limit; at += READS_AT_ONCE) {
      const read = await this.#read(task, named.slice(at, at + READS_AT_ONCE))
      found.push(...read.filter(({ run_id }) => run_id === runId))
    }
    return found.slice(0, limit)
  }

  /** Names of the archived files of a task, by the times in them. */
  async #archived(task: string): Promise<readonly NamedFile[]> {
    const folder = `${this.#deps.root}/${task}`
    const files = new Set<string>()
    const receipts: string[] = []
    const turns = new Turns()
    for await (const { location } of this.#deps.objects.list(folder)) {
      const name = location.slice(folder.length + 1)
      if (name.includes('/')) continue
      if (RECEIPT_ENDING.test(name)) receipts.push(name.replace(RECEIPT_ENDING, ''))
      else files.add(name)
      const turn = turns.take()
      if (turn !== undefined) await turn
    }
    const missing = receipts.filter((file) => !files.has(file))
    const nameless = await this.#nameless(task, missing)
    const named: NamedFile[] = []
    for (const file of receipts) {
      if (!nameless.has(file)) named.push(readFileName(file))
      const turn = turns.take()
      if (turn !== undefined) await turn
    }
    const byTime = (one: NamedFile, other: NamedFile) => (one.timeOrder < other.timeOrder ? -1 : 1)
    return sortInTurns(named, byTime, turns)
  }

  /** Which files, whose receipts are there, are still staged, and have no name yet. */
  async #nameless(task: string, files: readonly string[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>()
    if (files.length === 0) return found
    const runs = new Set<string>()
    const staged = `${this.#deps.root}/${UNFINISHED}/${task}`
    for await (const { location } of this.#deps.objects.list(staged)) {
      if (STAGED_ROWS.test(location)) runs.add(runOfStaged(location))
    }
    const prefixes = new Set(Array.from(runs, (run) => run.slice(0, 8)))
    for (const file of files) {
      const { run } = readFileName(file)
      if (runs.size === 0 || (run !== undefined && !prefixes.has(run))) continue
      const receipt = await this.read(this.locationOf(task, file))
      if (runs.has(receipt.run_id) && !(await this.#deps.mayBeThere(receipt))) found.add(file)
    }
    return found
  }

  #read(task: string, named: readonly NamedFile[]): Promise<readonly ExportReceipt[]> {
    return mapBounded(named, READS_AT_ONCE, ({ file }) => {
      return this.read(this.locationOf(task, file))
    })
  }

  /** Throws `export-file-not-found`. */
  async find(task: string, file: string): Promise<ExportReceipt> {
    const location = this.locationOf(task, file)
    const isThere = FILE_NAME.test(file) && (await this.#deps.objects.find(location)) !== undefined
    if (isThere && !(await this.#nameless(task, [file])).has(file)) return this.read(location)
    const detail = `The export ${task} has no file ${JSON.stringify(file)}`
    throw new ProblemError('export-file-not-found', detail, { facts: { task, file } })
  }

  /** Beside the files of the warehouse, wherever its file is. */
  locationOf(task: string, file: string): string {
    return `${this.#deps.root}/${task}/${file}.json`
  }

  /** Those of all tasks, in no order. */
  async *all(): AsyncIterable<ExportReceipt> {
    const { objects, root } = this.#deps
    for await (const { location } of objects.list(root)) {
      if (RECEIPT.test(location.slice(root.length))) yield await this.read(location)
    }
  }

  async read(location: string): Promise<ExportReceipt> {
    return Receipt.parse(await readJson(this.#deps.objects, location))
  }
}

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,250}$/
const RECEIPT_ENDING = /\.json$/
const RECEIPT = /^\/[^./][^/]*\/[^/]+\.json$/
/** Its rows, here or outside of the warehouse. */
const STAGED_ROWS = /\.csv(?:\.place)?$/

/** Files whose names are of the run, or of one whose id begins so, in the order of their parts. */
function partsOf(named: readonly NamedFile[], runId: string): Promise<readonly NamedFile[]> {
  const parts = named.filter(({ run }) => run === runId.slice(0, 8))
  return sortInTurns(parts, (one, other) => (one.partOrder < other.partOrder ? -1 : 1))
}
