/**
 * A thread that reads metadata files of tables and views, and hands over what is in them in parts.
 */
import { CatalogError } from '../core/errors.ts'
import { readTableMetadataFile, readViewMetadataFile } from '../formats/metadata/metadata-file.ts'
import { answerTasks } from './answer-tasks.ts'
import type { MetadataResult, MetadataTask } from './metadata-message.ts'
import { partsOf, type ValuePart } from './value-parts.ts'

const waiting = new Map<number, ValuePart[]>()

answerTasks(answer, () => [])

function answer(task: MetadataTask): MetadataResult {
  if (task.kind === 'next') return next(task.id)
  try {
    const read = task.kind === 'view' ? readViewMetadataFile : readTableMetadataFile
    waiting.set(task.id, [...partsOf(read(task.file))].reverse())
  } catch (error) {
    const code = error instanceof CatalogError ? error.code : 'metadata-corrupt'
    return { failure: { code, message: error instanceof Error ? error.message : String(error) } }
  }
  return next(task.id)
}

function next(id: number): MetadataResult {
  const parts = waiting.get(id) ?? []
  const part = parts.pop()
  if (parts.length === 0) waiting.delete(id)
  if (part === undefined) throw new Error(`no more parts of file ${id}`)
  return { part, left: parts.length }
}
