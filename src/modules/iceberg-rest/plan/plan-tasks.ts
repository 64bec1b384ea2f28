import type { DataFile, ManifestEntry } from '../../../core/file/data-file.ts'
import { compareBytes } from '../../../core/value/value.ts'
import type { DeleteFileIndex } from '../../../lake/scan/delete-file-index.ts'
import type { ContentFileWriter } from './plan-file-json.ts'
import { PAGE_LENGTH_MAX, TASKS_PER_PAGE_MAX } from './plan-limits.ts'

/**
 * Field id of the column with the path of a data file in a position delete file (Iceberg spec,
 * "Position Delete Files").
 */
const DELETED_FILE_PATH = 2147483546

/** File scan tasks of one response and the delete files that they refer to, each as JSON. */
export class TaskPage {
  readonly tasks: string[] = []
  readonly deleteFiles: string[] = []
  readonly #writer: ContentFileWriter
  readonly #deletes: DeleteFileIndex
  readonly #residual: string
  readonly #references = new Map<DataFile, number>()
  #length = 0

  /** `residual` is a member of each task, with the comma before it. */
  constructor({
    writer,
    deletes,
    residual,
  }: {
    readonly writer: ContentFileWriter
    readonly deletes: DeleteFileIndex
    readonly residual: string
  }) {
    this.#writer = writer
    this.#deletes = deletes
    this.#residual = residual
  }

  get isFull(): boolean {
    return this.tasks.length >= TASKS_PER_PAGE_MAX || this.#length >= PAGE_LENGTH_MAX
  }

  add({ dataFile, sequenceNumber }: ManifestEntry): void {
    const references = this.#referencesOf(dataFile, sequenceNumber ?? 0n)
    const file = this.#writer.dataFile(dataFile, sequenceNumber ?? 0n)
    const task = `{"data-file":${file}${references}${this.#residual}}`
    this.tasks.push(task)
    this.#length += task.length
  }

  #referencesOf(dataFile: DataFile, sequenceNumber: bigint): string {
    if (this.#deletes.isEmpty) return ''
    const files = applicable(this.#deletes.findFor(dataFile, sequenceNumber), dataFile)
    if (files.length === 0) return ''
    return `,"delete-file-references":[${files.map((file) => this.#referenceTo(file)).join(',')}]`
  }

  #referenceTo(file: DataFile): number {
    const known = this.#references.get(file)
    if (known !== undefined) return known
    const reference = this.deleteFiles.length
    const json = this.#writer.deleteFile(file)
    this.deleteFiles.push(json)
    this.#length += json.length
    this.#references.set(file, reference)
    return reference
  }
}

/**
 * A deletion vector replaces all position deletes of its data file (Iceberg spec, "Deletion
 * Vectors").
 */
function applicable(files: readonly DataFile[], dataFile: DataFile): readonly DataFile[] {
  const hasVector = files.some(isVector)
  const path = new TextEncoder().encode(dataFile.path)
  return files.filter((file) => {
    if (file.content !== 'position-deletes' || isVector(file)) return true
    return !hasVector && mayNamePath(file, path)
  })
}

function isVector({ content, format }: DataFile): boolean {
  return content === 'position-deletes' && format === 'puffin'
}

function mayNamePath({ lowerBounds, upperBounds }: DataFile, path: Uint8Array): boolean {
  const lower = lowerBounds?.get(DELETED_FILE_PATH)
  const upper = upperBounds?.get(DELETED_FILE_PATH)
  const isUnder = lower !== undefined && compareBytes(path, lower) < 0
  return !isUnder && !(upper !== undefined && compareBytes(path, upper) > 0)
}
