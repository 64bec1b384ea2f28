/**
 * A thread that reads table metadata files. The lists are handed over in parts, since whoever
 * receives a message copies all of it at once.
 */
import { CatalogError } from '../core/errors.ts'
import { readTableMetadataFile, readViewMetadataFile } from '../formats/metadata/metadata-file.ts'
import { answerTasks } from './answer-tasks.ts'
import type { LongLists, MetadataResult, MetadataTask } from './metadata-message.ts'

const ITEMS_AT_ONCE = 1_000

const waiting = new Map<number, LongLists[]>()

answerTasks(answer, () => [])

function answer(task: MetadataTask): MetadataResult {
  if (task.kind === 'next') return next(task.id)
  try {
    return task.kind === 'view' ? { view: readViewMetadataFile(task.file) } : read(task)
  } catch (error) {
    const code = error instanceof CatalogError ? error.code : 'metadata-corrupt'
    return { failure: { code, message: error instanceof Error ? error.message : String(error) } }
  }
}

function read({ id, file }: Extract<MetadataTask, { kind: 'read' }>): MetadataResult {
  const whole = readTableMetadataFile(file)
  const parts = partsOf(whole)
  if (parts.length > 0) waiting.set(id, parts)
  const metadata = { ...whole, metadataLog: [], snapshotLog: [], snapshots: [] }
  return { metadata, parts: parts.length }
}

function partsOf({ metadataLog, snapshotLog, snapshots }: LongLists): LongLists[] {
  const longest = Math.max(metadataLog.length, snapshotLog.length, snapshots.length)
  return Array.from({ length: Math.ceil(longest / ITEMS_AT_ONCE) }, (_, number) => {
    const from = number * ITEMS_AT_ONCE
    const to = from + ITEMS_AT_ONCE
    return {
      metadataLog: metadataLog.slice(from, to),
      snapshotLog: snapshotLog.slice(from, to),
      snapshots: snapshots.slice(from, to),
    }
  })
}

function next(id: number): MetadataResult {
  const parts = waiting.get(id) ?? []
  const part = parts.shift()
  if (parts.length === 0) waiting.delete(id)
  if (part === undefined) throw new Error(`no more parts of file ${id}`)
  return { part }
}
