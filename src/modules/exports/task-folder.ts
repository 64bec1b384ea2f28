import { constants, lstat, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PatientTurns } from '../../lake/jobs/patient-turns.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type ExportTask, parseTask, type TaskFiles, taskInvalid } from './export-task.ts'

/** Names that are safe in paths, addresses and file names. */
const TASK_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/
const TASK_FILE_BYTES_MAX = 1024 * 1024
const TASKS_MAX = 10_000
const AWAY =
  'there are no export tasks: their folder does not answer; bring its disk back, or correct ' +
  'MORAINE_EXPORTS'
const MISNAMED =
  'the name of its folder may have letters, digits, - and _ only, at most 100, and begins with a ' +
  'letter or digit; rename it'
/** Where several belong together, none runs without the last. */
export const TASK_FILES = ['task.json', 'delete.sql', 'select.sql'] as const

export interface SeenTask {
  /** `undefined` if its files say nothing that can be used. */
  readonly task: ExportTask | undefined
  /** Why it cannot be run; `null` if it can. */
  readonly problem: string | null
  /** When its files were changed last; 0 if they cannot be read. */
  readonly changedAtMs: number
}

/** A folder that looks like a task, and why it is none. */
export interface SeenFolder {
  readonly name: string
  readonly problem: string
}

export interface ReadFile {
  readonly file: string
  /** Why it cannot be read, if it cannot. */
  readonly bytes: Uint8Array | string
}

interface FoundFile {
  readonly bytes: Buffer
  readonly changedAtMs: number
}

/**
 * The operator's tasks: one folder each, read anew whenever one is asked for. All that ask share
 * one of these: of a disk that is away, one call hangs.
 */
export class TaskFolder {
  readonly #folder: string
  readonly #isCopy: boolean
  readonly #flags: number
  readonly #turns: PatientTurns

  /** Links are followed, as volumes of Kubernetes need it, unless the folder is a copy of one. */
  constructor(
    folder: string,
    {
      isCopy = false,
      turns = new PatientTurns(),
    }: { readonly isCopy?: boolean; readonly turns?: PatientTurns } = {},
  ) {
    this.#folder = folder
    this.#turns = turns
    // A pipe is opened, and refused, without a wait for who writes to it.
    this.#flags = constants.O_RDONLY | constants.O_NONBLOCK | (isCopy ? constants.O_NOFOLLOW : 0)
    this.#isCopy = isCopy
  }

  /**
   * Names in order, of folders that have a file of a task; none if there is no folder of tasks.
   * Throws `exports-unreadable`.
   */
  async list(): Promise<readonly string[]> {
    const names = await this.#names()
    const named = names.filter((name) => TASK_NAME.test(name))
    // What may not be read is there, and says so.
    return this.#tasksOf(named, (code) => code !== 'ENOENT' && code !== 'ENOTDIR')
  }

  /**
   * Tasks that are none for the names of their folders. Hidden folders are meant to be none, and
   * others that may not be looked into are somebody else's, as `lost+found`. Throws
   * `exports-unreadable`.
   */
  async listMisnamed(): Promise<readonly SeenFolder[]> {
    const names = await this.#names()
    const misnamed = names.filter((name) => !TASK_NAME.test(name) && !name.startsWith('.'))
    const tasks = await this.#tasksOf(misnamed, () => false)
    return tasks.map((name) => ({ name, problem: taskInvalid(name, MISNAMED).message }))
  }

  /** Why the folder of tasks cannot be read, and what to do; `null` if it can. */
  async problem(): Promise<string | null> {
    try {
      await this.#inTurn(() => readdir(this.#folder))
      return null
    } catch (error) {
      return isUnreadable(error) ? error.message : unreadable(error)
    }
  }

  async #names(): Promise<readonly string[]> {
    try {
      const names = await this.#inTurn(() => readdir(this.#folder))
      return names.sort()
    } catch (error) {
      if (isUnreadable(error)) throw error
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw new ProblemError('exports-unreadable', unreadable(error))
    }
  }

  /** `isThere` tells what an error of looking at a file means. */
  async #tasksOf(
    names: readonly string[],
    isThere: (code: string | undefined) => boolean,
  ): Promise<readonly string[]> {
    const tasks: string[] = []
    for (const name of names.slice(0, TASKS_MAX)) {
      for (const file of TASK_FILES) {
        // Through links, as in volumes of Kubernetes.
        const isSeen = await this.#inTurn(() =>
          stat(join(this.#folder, name, file)).then(
            () => true,
            ({ code }) => isThere(code),
          ),
        )
        if (!isSeen) continue
        tasks.push(name)
        break
      }
    }
    return tasks
  }

  /** Throws `export-not-found`; a task that cannot be run is one. */
  async require(name: string): Promise<void> {
    const files = TASK_NAME.test(name) ? await this.#files(name) : undefined
    if (files === undefined) throw exportNotFound(name)
  }

  /** Throws `export-not-found` and `export-task-unusable`. */
  async read(name: string): Promise<ExportTask> {
    const files = TASK_NAME.test(name) ? await this.#files(name) : undefined
    if (files === undefined) throw exportNotFound(name)
    return parseTask(name, files)
  }

  /**
   * The task, whether or not it can be run: `check` throws `export-task-unusable`, too, for what
   * its files do not tell. Throws `export-not-found`.
   */
  async look(name: string, check: (task: ExportTask) => void): Promise<SeenTask> {
    let task: ExportTask | undefined
    try {
      task = await this.read(name)
      check(task)
      return { task, problem: null, changedAtMs: task.changedAtMs }
    } catch (error) {
      const isUnusable = error instanceof ProblemError && error.code === 'export-task-unusable'
      if (!isUnusable) throw error
      const files = task ?? (await this.#files(name).catch(() => undefined))
      return { task, problem: error.message, changedAtMs: files?.changedAtMs ?? 0 }
    }
  }

  /** `undefined` when there are none. */
  async #files(task: string): Promise<TaskFiles | undefined> {
    const found = await Promise.all(TASK_FILES.map((file) => this.#text(task, file)))
    const [json, remove, select] = found
    if (found.every((file) => file === undefined)) return undefined
    return {
      ...(json !== undefined && { json: json.text }),
      ...(select !== undefined && { select: select.text }),
      ...(remove !== undefined && { remove: remove.text }),
      changedAtMs: Math.max(...found.map((file) => file?.changedAtMs ?? 0)),
    }
  }

  /** The files of a task that are there, in the order of `TASK_FILES`. */
  async readFiles(task: string): Promise<readonly ReadFile[]> {
    const found = TASK_FILES.map(async (file) => {
      const read = await this.#read(task, file).catch((error: Error) => ({ bytes: error.message }))
      return read === undefined ? [] : [{ file, bytes: read.bytes }]
    })
    return (await Promise.all(found)).flat()
  }

  async #text(
    task: string,
    file: string,
  ): Promise<{ readonly text: string; readonly changedAtMs: number } | undefined> {
    const read = await this.#read(task, file)
    return read && { text: read.bytes.toString('utf8'), changedAtMs: read.changedAtMs }
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    return this.#turns.run(call, () => new ProblemError('exports-unreadable', AWAY))
  }

  #read(task: string, file: string): Promise<FoundFile | undefined> {
    return this.#inTurn(() => this.#readNow(task, file))
  }

  async #readNow(task: string, file: string): Promise<FoundFile | undefined> {
    const folder = join(this.#folder, task)
    if (this.#isCopy && (await lstat(folder)).isSymbolicLink()) {
      throw taskInvalid(task, 'its folder is a link')
    }
    const opened = await open(join(folder, file), this.#flags).catch((error) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
      throw taskInvalid(task, `its ${file} cannot be read (${error.code})`)
    })
    if (opened === undefined) return undefined
    try {
      const found = await opened.stat()
      const { size, mtimeMs } = found
      if (!found.isFile()) throw taskInvalid(task, `its ${file} is not a file`)
      if (size > TASK_FILE_BYTES_MAX) throw taskInvalid(task, `its ${file} is over 1 MiB`)
      return { bytes: await opened.readFile(), changedAtMs: mtimeMs }
    } finally {
      await opened.close()
    }
  }
}

export function isUnreadable(error: unknown): error is ProblemError {
  return error instanceof ProblemError && error.code === 'exports-unreadable'
}

function unreadable(error: unknown): string {
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  const remedy =
    code === 'ENOENT'
      ? 'make it, with a folder for each task, or correct MORAINE_EXPORTS'
      : 'give the service the right to read it, or correct MORAINE_EXPORTS'
  return `there are no export tasks: their folder cannot be read (${code}); ${remedy}`
}

export function exportNotFound(task: string): ProblemError {
  return new ProblemError('export-not-found', `There is no export ${JSON.stringify(task)}`, {
    facts: { task },
  })
}
