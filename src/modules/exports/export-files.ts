import { createHash } from 'node:crypto'
import { mapBounded } from '../../core/bounded.ts'
import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import { ProblemError } from '../../problem/problems.ts'
import {
  type ExportNote,
  type ExportReceipt,
  Note,
  Placed,
  type PlacedFiles,
  Receipt,
} from './export-note.ts'
import { ExportPauses, putJson } from './export-pauses.ts'
import { type NamedFile, readFileName } from './file-name.ts'

/** Room for the columns of the widest table. */
const NOTE_BYTES_MAX = 4 * 1024 * 1024
/** No task's name begins with a dot. */
const UNFINISHED = '.staged'
const READS_AT_ONCE = 16
const NAMELESS_READ_MAX = 2_000

export interface ExportPlaces {
  readonly objects: ObjectStore
  readonly warehouse: string
}

/** The file of a run that has not ended, or its note, or both. */
export interface StagedExport {
  /** That of the file. */
  readonly location: string
  readonly runId: string
  /** When either was written last. */
  readonly modifiedAtMs: number
}

/** Archived files of all tasks, and those of runs that have not ended. */
export class ExportFiles {
  readonly #objects: ObjectStore
  readonly #root: string
  readonly pauses: ExportPauses

  constructor({ objects, warehouse }: ExportPlaces) {
    this.#objects = objects
    this.#root = `${warehouse}/.exports`
    this.pauses = new ExportPauses(objects, this.#root)
  }

  /** Unique to one attempt. */
  stagedLocation(task: string, runId: string, markId: string): string {
    return `${this.#root}/${UNFINISHED}/${task}/${runId}_${markId}${STAGED_ENDING}`
  }

  location(task: string, file: string): string {
    return `${this.#root}/${task}/${file}`
  }

  /** Durable when it resolves. */
  async addNote(note: ExportNote): Promise<void> {
    await this.#put(noteLocation(note.staged), note)
  }

  /** Notes of one run. Throws when one cannot be read. */
  async listNotes(task: string, runId: string): Promise<readonly ExportNote[]> {
    const notes: ExportNote[] = []
    for (const staged of await this.listStaged(task)) {
      if (staged.runId !== runId) continue
      const note = await this.findNote(staged.location)
      if (note !== undefined) notes.push(note)
    }
    return notes
  }

  /** The note of a staged file. Throws when it cannot be read. */
  async findNote(staged: string): Promise<ExportNote | undefined> {
    const location = noteLocation(staged)
    if ((await this.#objects.find(location)) === undefined) return undefined
    return Note.parse(await this.#json(location))
  }

  /** Those of one task, or of all, whether or not they still have a folder. */
  async listStaged(task?: string): Promise<readonly StagedExport[]> {
    const staged = new Map<string, StagedExport>()
    const folder = `${this.#root}/${UNFINISHED}`
    const listed = this.#objects.list(task === undefined ? folder : `${folder}/${task}`)
    for await (const object of listed) {
      const location = object.location.replace(BESIDE_STAGED, '.csv')
      const otherMs = staged.get(location)?.modifiedAtMs ?? 0
      const modifiedAtMs = Math.max(object.modifiedAtMs, otherMs)
      staged.set(location, { location, runId: runOfStaged(location), modifiedAtMs })
    }
    return [...staged.values()]
  }

  /** The file of a run whose transaction is rolled back, or was never begun. */
  async discard(staged: string): Promise<void> {
    await this.#objects.delete(staged)
    await this.#forget(staged)
  }

  /** Files of a table, in which the rows of a run are, before a commit names them. */
  async notePlaced({ staged }: ExportNote, placed: PlacedFiles): Promise<void> {
    const { paths } = placed
    // The file is unique to its attempt.
    const hash = createHash('sha256').update(JSON.stringify(paths)).digest('hex').slice(0, 16)
    await this.#put(`${staged}.${hash}${PLACED_ENDING}`, placed)
  }

  async listPlaced({ staged }: ExportNote): Promise<readonly PlacedFiles[]> {
    const placed: PlacedFiles[] = []
    for await (const { location } of this.#beside(staged)) {
      if (!location.endsWith(PLACED_ENDING)) continue
      placed.push(Placed.parse(await this.#json(location, PLACED_BYTES_MAX)))
    }
    return placed
  }

  /** Whether the file of the run has its name: then its transaction was committed. */
  async isPublished(note: ExportNote): Promise<boolean> {
    return (await this.#findOwn(note)) !== undefined
  }

  async #findOwn(note: ExportNote): Promise<ExportReceipt | undefined> {
    for (const file of [note.file, note.other_file]) {
      const location = receiptLocation(this.location(note.task, file))
      if ((await this.#objects.find(location)) === undefined) continue
      const found = await this.#receipt(location)
      if (found.run_id === note.run_id && found.sha256 === note.sha256) return found
    }
    return undefined
  }

  /**
   * Gives the file of a committed run its name, with its receipt beside it. May be done again after
   * a crash at any point of it.
   */
  async publish(note: ExportNote): Promise<ExportReceipt> {
    const { staged } = note
    const receipt = (await this.#findOwn(note)) ?? (await this.#claimName(note))
    const to = this.location(note.task, receipt.file)
    if ((await this.#objects.find(staged)) === undefined) {
      await this.#requireSame(receipt, to)
      return receipt
    }
    const outcome = await this.#objects.moveIfAbsent(staged, to)
    if (outcome === 'already-exists') {
      // The staged one is the last that has the rows, should the other be somebody else's.
      await this.#requireSameBytes(receipt, to)
      await this.#objects.delete(staged)
    }
    return receipt
  }

  /** The receipt comes first: whose it is has the name. A file without one is not ours. */
  async #claimName(note: ExportNote): Promise<ExportReceipt> {
    const { staged: _, mark: __, append, other_file, ...receipt } = note
    const table = append === undefined ? {} : { table: append.table }
    for (const file of [receipt.file, other_file]) {
      const location = receiptLocation(this.location(receipt.task, file))
      const own = { ...receipt, ...table, file }
      const there = await this.#objects.find(this.location(receipt.task, file))
      const isFree = there === undefined && (await this.#put(location, own)) === 'written'
      if (isFree) return own
      // Of another process that ends this run, if not of another run.
      const found = await this.#findOwn(note)
      if (found !== undefined) return found
    }
    throw new Error(`both names of an export's file are taken: ${receipt.file}`)
  }

  async forgetNote({ staged }: ExportNote): Promise<void> {
    await this.#forget(staged)
  }

  /** The note goes first: without the others it would be believed that nothing was appended. */
  async #forget(staged: string): Promise<void> {
    await this.#objects.delete(noteLocation(staged))
    for await (const { location } of this.#beside(staged)) await this.#objects.delete(location)
  }

  async *#beside(staged: string): AsyncIterable<ObjectInfo> {
    const folder = staged.slice(0, staged.lastIndexOf('/'))
    for await (const object of this.#objects.list(folder)) {
      if (object.location.startsWith(`${staged}.`)) yield object
    }
  }

  /** Receipts of archived files by the times in their names, the last first. */
  async list(
    task: string,
    { before, limit }: { readonly before: string | undefined; readonly limit: number },
  ): Promise<readonly ExportReceipt[]> {
    const named = await this.#archived(task)
    const last = before === undefined ? undefined : readFileName(before).timeOrder
    const earlier = named.filter(({ timeOrder }) => last === undefined || timeOrder < last)
    return this.#receipts(task, earlier.reverse().slice(0, limit))
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
    const parts = partsOf(named, runId)
    const last = after === undefined ? undefined : readFileName(after).partOrder
    const left = parts.filter(({ partOrder }) => last === undefined || partOrder > last)
    const found = await this.#ofRun(runId, { task, named: left, limit })
    if (found.length > 0 || after !== undefined) return found
    const nameless = named.filter(({ run }) => run === undefined).reverse()
    return this.#ofRun(runId, { task, named: nameless.slice(0, NAMELESS_READ_MAX), limit: 1 })
  }

  /** The same of a run of several parts, all of them. */
  async listParts(task: string, runId: string): Promise<readonly ExportReceipt[]> {
    const named = partsOf(await this.#archived(task), runId)
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
      const read = await this.#receipts(task, named.slice(at, at + READS_AT_ONCE))
      found.push(...read.filter(({ run_id }) => run_id === runId))
    }
    return found.slice(0, limit)
  }

  /** Names of the archived files of a task, by the times in them. */
  async #archived(task: string): Promise<readonly NamedFile[]> {
    const folder = `${this.#root}/${task}`
    const files = new Set<string>()
    const receipts: string[] = []
    for await (const { location } of this.#objects.list(folder)) {
      const name = location.slice(folder.length + 1)
      if (name.includes('/')) continue
      if (NOTE_ENDING.test(name)) receipts.push(name.replace(NOTE_ENDING, ''))
      else files.add(name)
    }
    const missing = receipts.filter((file) => !files.has(file))
    const nameless = await this.#nameless(task, missing)
    const named = receipts.filter((file) => !nameless.has(file)).map(readFileName)
    return named.sort((one, other) => (one.timeOrder < other.timeOrder ? -1 : 1))
  }

  /** Which files, whose receipts are there, are still staged, and have no name yet. */
  async #nameless(task: string, files: readonly string[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>()
    if (files.length === 0) return found
    const runs = new Set<string>()
    for await (const { location } of this.#objects.list(`${this.#root}/${UNFINISHED}/${task}`)) {
      if (location.endsWith(STAGED_ENDING)) runs.add(runOfStaged(location))
    }
    if (runs.size === 0) return found
    for (const file of files) {
      const location = this.location(task, file)
      if ((await this.#objects.find(location)) !== undefined) continue
      const { run_id } = await this.#receipt(receiptLocation(location))
      if (runs.has(run_id)) found.add(file)
    }
    return found
  }

  #receipts(task: string, named: readonly NamedFile[]): Promise<readonly ExportReceipt[]> {
    return mapBounded(named, READS_AT_ONCE, ({ file }) => {
      return this.#receipt(receiptLocation(this.location(task, file)))
    })
  }

  /** Throws `export-file-not-found`. */
  async find(task: string, file: string): Promise<ExportReceipt> {
    const location = receiptLocation(this.location(task, file))
    const isThere = FILE_NAME.test(file) && (await this.#objects.find(location)) !== undefined
    if (isThere && !(await this.#nameless(task, [file])).has(file)) return this.#receipt(location)
    const detail = `The export ${task} has no file ${JSON.stringify(file)}`
    throw new ProblemError('export-file-not-found', detail, { facts: { task, file } })
  }

  read({ task, file }: ExportReceipt, start: number, end: number): AsyncIterable<Uint8Array> {
    return this.#objects.readStream(this.location(task, file), start, end - start)
  }

  async #requireSame({ bytes, file }: ExportReceipt, location: string): Promise<void> {
    const found = await this.#objects.find(location)
    if (found?.sizeBytes === bytes) return
    throw new Error(`the export's file ${file} is not the one that was written: ${location}`)
  }

  async #requireSameBytes(receipt: ExportReceipt, location: string): Promise<void> {
    await this.#requireSame(receipt, location)
    const hash = createHash('sha256')
    for await (const chunk of this.read(receipt, 0, receipt.bytes)) hash.update(chunk)
    if (hash.digest('hex') === receipt.sha256) return
    throw new Error(`the export's file ${receipt.file} has other bytes: ${location}`)
  }

  async #receipt(location: string): Promise<ExportReceipt> {
    return Receipt.parse(await this.#json(location))
  }

  async #json(location: string, bytesMax = NOTE_BYTES_MAX): Promise<unknown> {
    const bytes = await this.#objects.read(location, { bytesMax })
    return JSON.parse(new TextDecoder().decode(bytes))
  }

  #put(location: string, value: unknown): Promise<'written' | 'already-exists'> {
    return putJson(this.#objects, location, value)
  }
}

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,250}$/

const NOTE_ENDING = /\.json$/
/** What lies beside a staged file: its note, its rows as Parquet, where they were placed. */
const BESIDE_STAGED = /\.csv\..+$/
const STAGED_ENDING = '.csv'
const PLACED_ENDING = '.placed'
/** Up to a thousand paths. */
const PLACED_BYTES_MAX = 16 * 1024 * 1024

/** Files whose names are of the run, or of one whose id begins so, in the order of their parts. */
function partsOf(named: readonly NamedFile[], runId: string): readonly NamedFile[] {
  const parts = named.filter(({ run }) => run === runId.slice(0, 8))
  return parts.sort((one, other) => (one.partOrder < other.partOrder ? -1 : 1))
}

/** The run that an object of a run that has not ended belongs to. */
function runOfStaged(location: string): string {
  return /([^/_]+)_[^/]*$/.exec(location)?.[1] ?? ''
}

function noteLocation(staged: string): string {
  return `${staged}.json`
}

function receiptLocation(location: string): string {
  return `${location}.json`
}
