import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { PatientTurns } from '../../lake/jobs/patient-turns.ts'
import { findWarehouseId } from '../../lake/table/warehouse-claim.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { putJson, readJson } from './export-note.ts'

/** File in a folder outside of the warehouse that says whose archives are in it. */
const MARKER_NAME = '.moraine-exports.json'
const RECORDED = '.places'
const RETRY_AFTER_SECONDS = 10
const REMEDY = 'mount its disk, or bring the folder back'

const Recorded = z.object({ place: z.string(), id: z.string() })
const Marker = Recorded.extend({ warehouse_id: z.string() })

export interface PlaceDependencies extends Stores<'settings'> {
  readonly objects: Pick<ObjectStore, 'find' | 'list' | 'putIfAbsent' | 'read'>
  readonly warehouse: string
  /** The folder that runs of this process archive to, as a location; else to the warehouse. */
  readonly archiveTo?: string
  /**
   * Opens the store of a folder, which must be there: the service would make it where a disk is not
   * mounted. `beforeNewFolder` throws to keep a folder from being made in it.
   */
  openArchive(place: string, beforeNewFolder: () => Promise<void>): Promise<ObjectStore>
}

/**
 * Folders outside of the warehouse in which archived files are: that of `EXPORT_PATH`, and those
 * that it was before. Each has a marker, and the warehouse a record of it, so that nothing is
 * archived, or missed, where a disk is not mounted. Whatever the setting of a process is, it finds
 * the files of all others.
 */
export class ArchivePlaces {
  readonly #deps: PlaceDependencies
  readonly #stores = new Map<string, Promise<ObjectStore>>()
  /** Ids of folders that were taken into use. */
  readonly #ids = new Map<string, string>()
  readonly #turns = new Map<string, PatientTurns>()
  readonly #newTurns: () => PatientTurns

  constructor(deps: PlaceDependencies, newTurns = () => new PatientTurns()) {
    this.#deps = deps
    this.#newTurns = newTurns
  }

  /**
   * The place of files to come; `undefined`: the warehouse. A folder is taken into use by the first
   * who asks. Throws `storage-unavailable` when it is not there, or not the one that it was.
   */
  async forRuns(): Promise<string | undefined> {
    const { archiveTo: place } = this.#deps
    if (place === undefined) return undefined
    if ((await this.#findId(place)) === undefined) {
      await this.#inTurn(place, () => this.#take(place))
    }
    await this.open(place)
    return place
  }

  /** The store of a place that was taken into use. Throws `storage-unavailable`, as above. */
  open(place: string): Promise<ObjectStore> {
    return this.#inTurn(place, async () => {
      const objects = await this.#store(place)
      await this.#requireMarker(place, objects)
      return objects
    })
  }

  /** One call at a time: of a place that is away, no more hang. */
  #inTurn<T>(place: string, call: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(place) ?? this.#newTurns()
    this.#turns.set(place, turns)
    return turns.run(call, () => unavailable(place, `it does not answer: ${REMEDY}`))
  }

  /** Places that were ever taken into use, by any process. */
  async list(): Promise<readonly string[]> {
    const { objects, warehouse } = this.#deps
    const places: string[] = []
    for await (const { location } of objects.list(`${warehouse}/.exports/${RECORDED}`)) {
      places.push(Recorded.parse(await readJson(objects, location)).place)
    }
    return places.sort()
  }

  /** What an operator should know at the start, a line each. */
  async remarks(): Promise<readonly string[]> {
    const { archiveTo } = this.#deps
    const remarks: string[] = []
    const hindrance = await problemOf(this.forRuns())
    if (hindrance !== null) remarks.push(`exports cannot run: ${hindrance}`)
    const setting = archiveTo === undefined ? 'is not set' : `is ${archiveTo}`
    for (const place of await this.list()) {
      if (place === archiveTo) continue
      const problem = await problemOf(this.open(place))
      const why = problem === null ? '' : `; they cannot be read: ${problem}`
      remarks.push(
        `EXPORT_PATH ${setting}, and exports have archived to ${place}: those files stay there, ` +
          `and all replicas should have one setting${why}`,
      )
    }
    return remarks
  }

  /** That of the folder that was taken into use under this name. */
  async #findId(place: string): Promise<string | undefined> {
    const known = this.#ids.get(place)
    if (known !== undefined) return known
    const record = this.#record(place)
    if ((await this.#deps.objects.find(record)) === undefined) return undefined
    const { id } = Recorded.parse(await readJson(this.#deps.objects, record))
    this.#ids.set(place, id)
    return id
  }

  /**
   * The marker first: a record without it would mean that the folder is gone. Of two folders of one
   * name, on two machines, the one has the id that is recorded.
   */
  async #take(place: string): Promise<void> {
    const objects = await this.#store(place)
    const marker = { place, id: randomUUID(), warehouse_id: await this.#warehouseId() }
    try {
      await putJson(objects, `${place}/${MARKER_NAME}`, marker)
    } catch (cause) {
      throw unavailable(place, `no file can be written there (${messageOf(cause)})`, cause)
    }
    const { id } = await this.#readMarker(place, objects)
    await putJson(this.#deps.objects, this.#record(place), { place, id })
  }

  #record(place: string): string {
    const name = createHash('sha256').update(place).digest('hex').slice(0, 16)
    return `${this.#deps.warehouse}/.exports/${RECORDED}/${name}.json`
  }

  #store(place: string): Promise<ObjectStore> {
    const open = async (): Promise<ObjectStore> => {
      const store: ObjectStore = await this.#deps.openArchive(place, () =>
        this.#requireMarker(place, store),
      )
      return store
    }
    const opened = this.#stores.get(place) ?? open()
    this.#stores.set(place, opened)
    return opened.catch((cause: unknown) => {
      this.#stores.delete(place)
      throw unavailable(place, 'no folder is there: mount its disk, or make it first', cause)
    })
  }

  async #requireMarker(place: string, objects: ObjectStore): Promise<void> {
    const { id } = await this.#readMarker(place, objects)
    if (id === (await this.#findId(place))) return
    throw unavailable(place, `another folder has that name elsewhere: ${REMEDY}`)
  }

  /** One of this service, by the name that it had when it was taken into use. */
  async #readMarker(place: string, objects: ObjectStore): Promise<z.output<typeof Marker>> {
    const location = `${place}/${MARKER_NAME}`
    const found = await readJson(objects, location).catch((cause: unknown) => {
      const isMissing = cause instanceof CatalogError && cause.code === 'file-not-found'
      const why = isMissing ? 'is not there' : `cannot be read (${messageOf(cause)})`
      throw unavailable(place, `its file ${MARKER_NAME} ${why}: ${REMEDY}`, cause)
    })
    const { data: marker } = Marker.safeParse(found)
    if (marker === undefined || marker.warehouse_id !== (await this.#warehouseId())) {
      const why = `its file ${MARKER_NAME} is of another service: give a folder of its own`
      throw unavailable(place, why)
    }
    if (marker.place === place) return marker
    const moved = `MORAINE_RELOCATED=${marker.place}=${place}`
    throw unavailable(place, `it is known as ${marker.place}: give that name, or set ${moved}`)
  }

  async #warehouseId(): Promise<string> {
    const id = await findWarehouseId(this.#deps)
    if (id === undefined) throw new Error('exports run before the warehouse was claimed')
    return id
  }
}

/** Why a place cannot be used; `null` if it can. */
export async function problemOf(using: Promise<unknown>): Promise<string | null> {
  try {
    await using
    return null
  } catch (error) {
    if (error instanceof CatalogError && error.code.startsWith('storage-')) return error.message
    throw error
  }
}

function unavailable(place: string, why: string, cause?: unknown): CatalogError {
  return new CatalogError('storage-unavailable', `archives in ${place} are out of reach: ${why}`, {
    facts: { place, retryAfterSeconds: RETRY_AFTER_SECONDS },
    cause,
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
