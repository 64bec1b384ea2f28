import type { ObjectStore } from '../../objects/object-store.ts'
import { putJson } from './export-note.ts'

const PAUSED = '.paused'
const PAUSE_ENDING = /\.json$/
/** Its name has the time, so that one list tells all. */
const RESUMED_ENDING = '.resumed'
const RESUMED_NAME = /^([^.]+)\.(\d+)\.resumed$/
const SEEN_NAME = /^([^.]+)\.([0-9a-f]{64})\.(\d+)\.seen$/

/** The files of a task, as some process saw them first. */
export interface SeenFiles {
  readonly digest: string
  readonly atMs: number
}

/** Whose schedules are left out, and were, and since when the files of each are as they are. */
export interface Pauses {
  readonly paused: ReadonlySet<string>
  /** When the last pause of each task ended. */
  readonly resumedAtMs: ReadonlyMap<string, number>
  /** For tasks with a schedule. */
  readonly seen: ReadonlyMap<string, SeenFiles>
}

/** What every process keeps to, of schedules. */
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

  /**
   * Notes that the files of a task are other ones since: times of files are new wherever they are
   * mounted or checked out anew.
   */
  async see(task: string, { digest, atMs }: SeenFiles, before?: SeenFiles): Promise<void> {
    await putJson(this.#objects, this.#seenLocation(task, { digest, atMs }), { task })
    if (before !== undefined) await this.forgetSeen(task, before)
  }

  async forgetSeen(task: string, seen: SeenFiles): Promise<void> {
    await this.#objects.delete(this.#seenLocation(task, seen))
  }

  #seenLocation(task: string, { digest, atMs }: SeenFiles): string {
    return `${this.#folder}/${task}.${digest}.${atMs}.seen`
  }

  async read(): Promise<Pauses> {
    const paused = new Set<string>()
    const resumedAtMs = new Map<string, number>()
    const seen = new Map<string, SeenFiles>()
    for await (const { location } of this.#objects.list(this.#folder)) {
      const name = location.slice(this.#folder.length + 1)
      const [, sighted, digest = '', sightedAtMs] = SEEN_NAME.exec(name) ?? []
      const [, task, atMs] = RESUMED_NAME.exec(name) ?? []
      if (sighted !== undefined) addSeen(seen, sighted, { digest, atMs: Number(sightedAtMs) })
      else if (task === undefined) paused.add(name.replace(PAUSE_ENDING, ''))
      else resumedAtMs.set(task, Math.max(Number(atMs), resumedAtMs.get(task) ?? 0))
    }
    return { paused, resumedAtMs, seen }
  }
}

/** The newest; of two processes that saw the same, the first. */
function addSeen(seen: Map<string, SeenFiles>, task: string, found: SeenFiles): void {
  const known = seen.get(task)
  const isOther = known?.digest !== found.digest
  if (known === undefined || (isOther ? found.atMs > known.atMs : found.atMs < known.atMs)) {
    seen.set(task, found)
  }
}
