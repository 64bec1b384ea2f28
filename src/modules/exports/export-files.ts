import { z } from 'zod'
import type { ObjectStore } from '../../objects/object-store.ts'
import { ProblemError } from '../../problem/problems.ts'

const NOTE_BYTES_MAX = 64 * 1024
const UNFINISHED = '.staged'

/** Everything that must be known of a run to end it after its transaction was committed. */
const Note = z.object({
  run_id: z.string(),
  task: z.string(),
  source: z.string(),
  staged: z.string(),
  file: z.string(),
  mark: z.object({ id: z.string(), transactionId: z.string(), isWritten: z.boolean() }),
  rows: z.int(),
  deleted: z.int(),
  proof: z.string(),
  bytes: z.int(),
  sha256: z.string(),
  exported_at: z.string(),
})
export type ExportNote = z.output<typeof Note>

/** What is kept beside each archived file, and shown of it. */
const Receipt = Note.omit({ staged: true, mark: true })
export type ExportReceipt = z.output<typeof Receipt>

export interface ExportPlaces {
  readonly objects: ObjectStore
  readonly warehouse: string
}

/** Archived files of all tasks, and those of runs that have not ended. */
export class ExportFiles {
  readonly #objects: ObjectStore
  readonly #root: string

  constructor({ objects, warehouse }: ExportPlaces) {
    this.#objects = objects
    this.#root = `${warehouse}/.exports`
  }

  /** Unique to one attempt. */
  stagedLocation(task: string, runId: string, markId: string): string {
    return `${this.#root}/${task}/${UNFINISHED}/${runId}_${markId}.csv`
  }

  location(task: string, file: string): string {
    return `${this.#root}/${task}/${file}`
  }

  async hasFile(task: string, file: string): Promise<boolean> {
    return (await this.#objects.find(this.location(task, file))) !== undefined
  }

  /** Durable when it resolves. */
  async addNote(note: ExportNote): Promise<void> {
    await this.#put(noteLocation(note.staged), note)
  }

  /** Notes of one run, or of all runs of the task. */
  async listNotes(task: string, runId?: string): Promise<readonly ExportNote[]> {
    const notes: ExportNote[] = []
    for (const { location } of await this.listStaged(task)) {
      if (!location.endsWith('.json')) continue
      if (runId !== undefined && runOfStaged(location) !== runId) continue
      const bytes = await this.#objects.read(location, { bytesMax: NOTE_BYTES_MAX })
      notes.push(Note.parse(JSON.parse(new TextDecoder().decode(bytes))))
    }
    return notes
  }

  /** Every object of runs that have not ended. */
  async listStaged(
    task: string,
  ): Promise<readonly { readonly location: string; readonly modifiedAtMs: number }[]> {
    const staged: { location: string; modifiedAtMs: number }[] = []
    for await (const object of this.#objects.list(`${this.#root}/${task}/${UNFINISHED}`)) {
      staged.push(object)
    }
    return staged
  }

  /** Tasks that have files, whether or not they still have a folder. */
  async listTasks(): Promise<ReadonlySet<string>> {
    const tasks = new Set<string>()
    for await (const { location } of this.#objects.list(this.#root)) {
      tasks.add(location.slice(this.#root.length + 1).split('/')[0] ?? '')
    }
    return tasks
  }

  /** The file of a run whose transaction is rolled back, or was never begun. */
  async discard(staged: string): Promise<void> {
    await this.#objects.delete(staged)
    await this.#objects.delete(noteLocation(staged))
  }

  /**
   * Gives the file of a committed run its name, with its receipt beside it. May be done again after
   * a crash at any point of it.
   */
  async publish(note: ExportNote): Promise<ExportReceipt> {
    const { staged, mark: _, ...receipt } = note
    const to = this.location(note.task, note.file)
    if ((await this.#objects.find(staged)) !== undefined) {
      const outcome = await this.#objects.moveIfAbsent(staged, to)
      if (outcome === 'already-exists') {
        await this.#requireSame(note, to)
        await this.#objects.delete(staged)
      }
    } else {
      await this.#requireSame(note, to)
    }
    await this.#put(receiptLocation(to), receipt)
    return receipt
  }

  async forgetNote({ staged }: ExportNote): Promise<void> {
    await this.#objects.delete(noteLocation(staged))
  }

  /** Receipts of archived files, newest first. */
  async list(task: string): Promise<readonly ExportReceipt[]> {
    const folder = `${this.#root}/${task}`
    const locations: string[] = []
    for await (const { location } of this.#objects.list(folder)) {
      const isOwn = !location.slice(folder.length + 1).includes('/')
      if (isOwn && location.endsWith('.json')) locations.push(location)
    }
    return Promise.all(
      locations
        .sort()
        .reverse()
        .map((each) => this.#receipt(each)),
    )
  }

  /** Throws `export-file-not-found`. */
  async find(task: string, file: string): Promise<ExportReceipt> {
    const location = receiptLocation(this.location(task, file))
    const isThere = FILE_NAME.test(file) && (await this.#objects.find(location)) !== undefined
    if (isThere) return this.#receipt(location)
    const detail = `The export ${task} has no file ${JSON.stringify(file)}`
    throw new ProblemError('export-file-not-found', detail, { facts: { task, file } })
  }

  read({ task, file }: ExportReceipt, start: number, end: number): AsyncIterable<Uint8Array> {
    return this.#objects.readStream(this.location(task, file), start, end - start)
  }

  async #requireSame({ bytes, file }: ExportNote, location: string): Promise<void> {
    const found = await this.#objects.find(location)
    if (found?.sizeBytes === bytes) return
    throw new Error(`the export's file ${file} is not the one that was written: ${location}`)
  }

  async #receipt(location: string): Promise<ExportReceipt> {
    const bytes = await this.#objects.read(location, { bytesMax: NOTE_BYTES_MAX })
    return Receipt.parse(JSON.parse(new TextDecoder().decode(bytes)))
  }

  async #put(location: string, value: unknown): Promise<void> {
    await this.#objects.putIfAbsent(
      location,
      new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`),
    )
  }
}

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,250}$/

/** The run that an object of a run that has not ended belongs to. */
export function runOfStaged(location: string): string {
  return /([^/_]+)_[^/]*$/.exec(location)?.[1] ?? ''
}

function noteLocation(staged: string): string {
  return `${staged}.json`
}

function receiptLocation(location: string): string {
  return `${location}.json`
}
