import type { ObjectStore } from '../../objects/object-store.ts'
import { putJson } from './export-note.ts'

const PAUSED = '.paused'
const PAUSE_ENDING = '.json'

/** Whose schedules are left out, by every process, also once the catalog was rebuilt. */
export class ExportPauses {
  readonly #objects: ObjectStore
  readonly #folder: string

  constructor(objects: ObjectStore, root: string) {
    this.#objects = objects
    this.#folder = `${root}/${PAUSED}`
  }

  async begin(task: string, at: string): Promise<void> {
    await putJson(this.#objects, this.#locationOf(task), { task, paused_at: at })
  }

  /** No error for one that is not paused. */
  async end(task: string): Promise<void> {
    await this.#objects.delete(this.#locationOf(task))
  }

  async list(): Promise<ReadonlySet<string>> {
    const paused = new Set<string>()
    for await (const { location } of this.#objects.list(this.#folder)) {
      const name = location.slice(this.#folder.length + 1)
      if (name.endsWith(PAUSE_ENDING)) paused.add(name.slice(0, -PAUSE_ENDING.length))
    }
    return paused
  }

  #locationOf(task: string): string {
    return `${this.#folder}/${task}${PAUSE_ENDING}`
  }
}
