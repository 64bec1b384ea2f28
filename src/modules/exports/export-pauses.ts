import type { ObjectStore } from '../../objects/object-store.ts'
import { putJson } from './export-note.ts'

const PAUSED = '.paused'
const PAUSE_ENDING = /\.json$/
/** Its name has the time, so that one list tells all. */
const RESUMED_ENDING = '.resumed'
const RESUMED_NAME = /^([^.]+)\.(\d+)\.resumed$/

/** Whose schedules are left out, and were. */
export interface Pauses {
  readonly paused: ReadonlySet<string>
  /** When the last pause of each task ended. */
  readonly resumedAtMs: ReadonlyMap<string, number>
}

/** Pauses of schedules, which every process keeps to. */
export class ExportPauses {
  readonly #objects: ObjectStore
  readonly #folder: string

  constructor(objects: ObjectStore, root: string) {
    this.#objects = objects
    this.#folder = `${root}/${PAUSED}`
  }

  /** The schedule of the task is left out until it is resumed, by every process. */
  async begin(task: string, at: string): Promise<void> {
    await putJson(this.#objects, `${this.#folder}/${task}.json`, { task, paused_at: at })
  }

  /** Notes when, before the pause ends. One that is not paused is left as it is. */
  async end(task: string, nowMs: number): Promise<void> {
    const { paused, resumedAtMs } = await this.read()
    if (!paused.has(task)) return
    await putJson(this.#objects, `${this.#folder}/${task}.${nowMs}${RESUMED_ENDING}`, { task })
    const before = resumedAtMs.get(task)
    if (before !== undefined && before < nowMs) {
      await this.#objects.delete(`${this.#folder}/${task}.${before}${RESUMED_ENDING}`)
    }
    await this.#objects.delete(`${this.#folder}/${task}.json`)
  }

  async read(): Promise<Pauses> {
    const paused = new Set<string>()
    const resumedAtMs = new Map<string, number>()
    for await (const { location } of this.#objects.list(this.#folder)) {
      const name = location.slice(this.#folder.length + 1)
      const [, task, atMs] = RESUMED_NAME.exec(name) ?? []
      if (task === undefined) paused.add(name.replace(PAUSE_ENDING, ''))
      else resumedAtMs.set(task, Math.max(Number(atMs), resumedAtMs.get(task) ?? 0))
    }
    return { paused, resumedAtMs }
  }
}
