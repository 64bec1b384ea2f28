import { createHash } from 'node:crypto'
import type { ObjectInfo, ObjectStore, SweepOptions } from '../../objects/object-store.ts'
import { ArchivePlaces, type PlaceDependencies, problemOf } from './archive-places.ts'
import {
  type ArchivedFile,
  type ExportNote,
  type ExportReceipt,
  Note,
  Place,
  Placed,
  type PlacedFiles,
  putJson,
  readJson,
} from './export-note.ts'
import { ExportPauses } from './export-pauses.ts'
import { ExportReceipts } from './export-receipts.ts'
import { RESTORED_ENDING, runOfStaged, STAGED_ENDING, stagedOf, UNFINISHED } from './file-name.ts'

export interface ExportPlaces {
  readonly objects: ObjectStore
  readonly warehouse: string
  /** Where files outside of the warehouse are; there are none without. */
  readonly archives?: ArchivePlaces
}

/** A file with rows, and the store that has it. */
export interface ArchivedObject {
  readonly objects: ObjectStore
  readonly location: string
}

/** The file of a run that has not ended, or its note, or both. */
export interface StagedExport {
  /** That of the file. */
  readonly location: string
  readonly runId: string
  /** When either was written last. */
  readonly modifiedAtMs: number
}

/** With the files outside of the warehouse. */
export function exportFilesOf(platform: ExportPlaces & PlaceDependencies): ExportFiles {
  return new ExportFiles({ ...platform, archives: new ArchivePlaces(platform) })
}

/** Archived files of all tasks, and those of runs that have not ended. */
export class ExportFiles {
  readonly #objects: ObjectStore
  readonly #root: string
  readonly #archives: ArchivePlaces | undefined
  readonly #receipts: ExportReceipts
  readonly pauses: ExportPauses

  constructor({ objects, warehouse, archives }: ExportPlaces) {
    this.#objects = objects
    this.#root = `${warehouse}/.exports`
    this.#archives = archives
    this.#receipts = new ExportReceipts({
      ...{ objects, root: this.#root },
      mayBeThere: (receipt) => this.#mayBeThere(receipt),
    })
    this.pauses = new ExportPauses(objects, this.#root)
  }

  /**
   * The place of files to come, outside of the warehouse if there is one. Throws
   * `storage-unavailable` when it cannot be used.
   */
  async findPlace(): Promise<string | undefined> {
    return this.#archives?.forRuns()
  }

  /** What an operator should know of places at the start, a line each. */
  async remarks(): Promise<readonly string[]> {
    return (await this.#archives?.remarks()) ?? []
  }

  /** Why nothing can be archived now; `null` if it can. */
  async problem(): Promise<string | null> {
    return problemOf(this.findPlace())
  }

  /**
   * What an attempt is known by, unique to it. Its file is there, or, by this name, outside of the
   * warehouse; all that is kept beside it is here.
   */
  stagedLocation(task: string, runId: string, markId: string): string {
    return `${this.#root}/${UNFINISHED}/${task}/${runId}_${markId}${STAGED_ENDING}`
  }

  /** Where the rows of an attempt are written. Of a place outside, that is noted before. */
  async stageAt(staged: string, place: string | undefined): Promise<ArchivedObject> {
    if (place !== undefined) await this.#put(`${staged}${PLACE_ENDING}`, { place })
    return this.#stagedFile(staged, place)
  }

  /** Throws unless the file that is to be committed is where it was written. */
  async requireStaged({ staged, place, bytes }: ExportNote): Promise<void> {
    if (place === undefined) return
    const { objects, location } = await this.#stagedFile(staged, place)
    if ((await objects.find(location))?.sizeBytes === bytes) return
    throw new Error(`${location} is gone as soon as it was written`)
  }

  /** The published file of a run. Throws `storage-unavailable` when its place is not there. */
  async archived({ task, file, place }: ArchivedFile): Promise<ArchivedObject> {
    const objects = await this.#storeOf(place)
    return { objects, location: `${place ?? this.#root}/${task}/${file}` }
  }

  /** Deletes what killed runs left half-written outside of the warehouse, as far as it is there. */
  async sweepPlaces(options: SweepOptions): Promise<void> {
    for (const place of (await this.#archives?.list()) ?? []) {
      const objects = await this.#storeOf(place).catch(() => undefined)
      const folder = `${place}/${UNFINISHED}`
      await objects?.makeFolder(folder)
      await objects?.deleteUnfinished(folder, options)
    }
  }

  /** Files outside of the warehouse that should be there: those of receipts and of open notes. */
  async *listOutside(): AsyncIterable<{ readonly location: string; readonly isMissing: boolean }> {
    if (((await this.#archives?.list()) ?? []).length === 0) return
    const unnamed = new Set<string>()
    for (const { location: staged } of await this.listStaged()) {
      const note = await this.findNote(staged)
      if (note?.place === undefined) continue
      const location = this.writtenAt(note)
      const isMissing = !(await this.#isIn(note.place, location))
      if (!isMissing) unnamed.add(note.run_id + note.sha256)
      if (!isMissing || !(await this.isPublished(note))) yield { location, isMissing }
    }
    for await (const receipt of this.#receipts.all()) {
      if (receipt.place === undefined || unnamed.has(receipt.run_id + receipt.sha256)) continue
      const isMissing = !(await this.#isThere(receipt))
      yield { location: `${receipt.place}/${receipt.task}/${receipt.file}`, isMissing }
    }
  }

  async #stagedFile(staged: string, place: string | undefined): Promise<ArchivedObject> {
    const objects = await this.#storeOf(place)
    return { objects, location: this.writtenAt({ staged, place }) }
  }

  /** Where the file of an attempt is until it has its name. */
  writtenAt({ staged, place }: Pick<ExportNote, 'staged' | 'place'>): string {
    return place === undefined ? staged : place + this.#inRoot(staged)
  }

  async #storeOf(place: string | undefined): Promise<ObjectStore> {
    if (place === undefined) return this.#objects
    if (this.#archives === undefined) throw new Error(`nobody opens ${place}`)
    return this.#archives.open(place)
  }

  #inRoot(location: string): string {
    return location.slice(this.#root.length)
  }

  /** Where an attempt has written its rows, if not here. */
  async #findPlaceOf(staged: string): Promise<string | undefined> {
    const location = `${staged}${PLACE_ENDING}`
    if ((await this.#objects.find(location)) === undefined) return undefined
    return Place.parse(await this.#json(location)).place
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
      const location = stagedOf(object.location)
      const otherMs = staged.get(location)?.modifiedAtMs ?? 0
      const modifiedAtMs = Math.max(object.modifiedAtMs, otherMs)
      staged.set(location, { location, runId: runOfStaged(location), modifiedAtMs })
    }
    return [...staged.values()]
  }

  /**
   * Where there may be rows of it, if it is of a backup. Outside of the warehouse they may have got
   * their name since that was made.
   */
  async findRestored(
    staged: string,
    note?: Pick<ExportNote, 'task' | 'file' | 'other_file'>,
  ): Promise<string | undefined> {
    if ((await this.#objects.find(`${staged}${RESTORED_ENDING}`)) === undefined) return undefined
    const place = await this.#findPlaceOf(staged)
    const locations = [this.writtenAt({ staged, place })]
    if (place !== undefined && note !== undefined) {
      locations.push(...[note.file, note.other_file].map((file) => `${place}/${note.task}/${file}`))
    }
    for (const location of locations) {
      if (await this.#mayBeAt(place, location)) return location
    }
    return undefined
  }

  /** The file of a run whose transaction is rolled back, or was never begun. */
  async discard(staged: string, written?: string): Promise<void> {
    const place = written ?? (await this.#findPlaceOf(staged))
    const { objects, location } = await this.#stagedFile(staged, place)
    await objects.delete(location)
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
      const location = this.#receipts.locationOf(note.task, file)
      if ((await this.#objects.find(location)) === undefined) continue
      const found = await this.#receipts.read(location)
      const isOfRun = found.run_id === note.run_id && found.sha256 === note.sha256
      // An older process leaves the place out, where the file is not.
      if (isOfRun && found.place === note.place) return found
    }
    return undefined
  }

  /**
   * Gives the file of a committed run its name, with its receipt beside it. May be done again after
   * a crash at any point of it.
   */
  async publish(note: ExportNote): Promise<ExportReceipt> {
    const { objects, location: staged } = await this.#stagedFile(note.staged, note.place)
    const receipt = (await this.#findOwn(note)) ?? (await this.#claimName(note))
    const { location: to } = await this.archived(receipt)
    if ((await objects.find(staged)) === undefined) {
      await this.#requireSame(receipt)
      return receipt
    }
    const outcome = await objects.moveIfAbsent(staged, to)
    if (outcome === 'already-exists') {
      // The staged one is the last that has the rows, should the other be somebody else's.
      await this.#requireSameBytes(receipt)
      await objects.delete(staged)
    }
    return receipt
  }

  /** The receipt comes first: whose it is has the name. A file without one is not ours. */
  async #claimName(note: ExportNote): Promise<ExportReceipt> {
    const { staged: _, mark: __, append, other_file, ...receipt } = note
    const table = append === undefined ? {} : { table: append.table }
    for (const file of [receipt.file, other_file]) {
      const own = { ...receipt, ...table, file }
      const { objects, location } = await this.archived(own)
      const isFree =
        (await objects.find(location)) === undefined &&
        (await this.#put(this.#receipts.locationOf(own.task, file), own)) === 'written'
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

  /** As `ExportReceipts` has them. */
  list(...asked: Parameters<ExportReceipts['list']>): Promise<readonly ExportReceipt[]> {
    return this.#receipts.list(...asked)
  }

  listOfRun(...asked: Parameters<ExportReceipts['listOfRun']>): Promise<readonly ExportReceipt[]> {
    return this.#receipts.listOfRun(...asked)
  }

  listParts(task: string, runId: string): Promise<readonly ExportReceipt[]> {
    return this.#receipts.listParts(task, runId)
  }

  find(task: string, file: string): Promise<ExportReceipt> {
    return this.#receipts.find(task, file)
  }

  #isThere({ task, file, place }: ArchivedFile): Promise<boolean> {
    return this.#isIn(place, `${place ?? this.#root}/${task}/${file}`)
  }

  #mayBeThere({ task, file, place }: ArchivedFile): Promise<boolean> {
    return this.#mayBeAt(place, `${place ?? this.#root}/${task}/${file}`)
  }

  /** What nobody can look at now was told to be there. */
  async #mayBeAt(place: string | undefined, location: string): Promise<boolean> {
    const reached = place === undefined ? null : await problemOf(this.#storeOf(place))
    return reached !== null || (await this.#isIn(place, location))
  }

  /** Not where the place is out of reach. */
  async #isIn(place: string | undefined, location: string): Promise<boolean> {
    let isThere = false
    const looking = this.#storeOf(place).then(async (objects) => {
      isThere = (await objects.find(location)) !== undefined
    })
    return (await problemOf(looking)) === null && isThere
  }

  async *read(file: ArchivedFile, start: number, end: number): AsyncIterable<Uint8Array> {
    const { objects, location } = await this.archived(file)
    yield* objects.readStream(location, start, end - start)
  }

  async #requireSame(receipt: ExportReceipt): Promise<void> {
    const { objects, location } = await this.archived(receipt)
    const found = await objects.find(location)
    if (found?.sizeBytes === receipt.bytes) return
    throw new Error(`the export's file is not the one that was written: ${location}`)
  }

  async #requireSameBytes(receipt: ExportReceipt): Promise<void> {
    await this.#requireSame(receipt)
    const hash = createHash('sha256')
    for await (const chunk of this.read(receipt, 0, receipt.bytes)) hash.update(chunk)
    if (hash.digest('hex') === receipt.sha256) return
    throw new Error(`the export's file ${receipt.file} has other bytes`)
  }

  #json(location: string, bytesMax?: number): Promise<unknown> {
    return readJson(this.#objects, location, bytesMax)
  }

  #put(location: string, value: unknown): Promise<'written' | 'already-exists'> {
    return putJson(this.#objects, location, value)
  }
}

/** Beside it, where its rows are outside of the warehouse. */
const PLACE_ENDING = '.place'
const PLACED_ENDING = '.placed'
/** Up to a thousand paths. */
const PLACED_BYTES_MAX = 16 * 1024 * 1024

function noteLocation(staged: string): string {
  return `${staged}.json`
}
