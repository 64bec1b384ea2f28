import { z } from 'zod'
import { formatTableName, parseNewTableName } from '../../core/table/table-name.ts'
import { ticksOf } from '../../lake/jobs/schedule.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { SourceWork } from '../../sources/row-source.ts'

/** What an operator's folder says about one export. */
export interface ExportTask {
  readonly name: string
  /** Name of the source in the configuration. */
  readonly source: string
  readonly work: SourceWork
  readonly compression: 'gzip' | 'none'
  /** The table that the rows are appended to, too, by its dotted name. */
  readonly archiveTo?: string
  readonly naming: 'sortable' | 'seed'
  /** Runs only when it is asked for, if absent. */
  readonly schedule?: ExportSchedule
  /** When its files were changed last. */
  readonly changedAtMs: number
}

export interface ExportSchedule {
  /** As in `Schedule`. */
  readonly cron: string
  readonly zone?: string
  /** What becomes of a time at which no service ran. */
  readonly catchUp: 'none' | 'one'
}

/** The texts of a task's folder; those of files that are not there are absent. */
export interface TaskFiles {
  readonly json?: string
  readonly select?: string
  readonly remove?: string
  readonly changedAtMs: number
}

/** The source of tasks that name none. */
export const DEFAULT_SOURCE = 'default'

const Name = z.string().min(1).max(200)
const Statement = z.string().min(1).max(100_000)

const TaskJson = z.strictObject({
  source: Name.default(DEFAULT_SOURCE),
  table: z
    .string()
    .regex(/^[^.\0]+(?:\.[^.\0]+)?$/, 'is not `table` or `schema.table`')
    .max(200)
    .optional(),
  where: Statement.optional(),
  columns: z.array(Name).min(1).max(2_000).optional(),
  mode: z.enum(['atomic', 'snapshot', 'keep']).optional(),
  compression: z.enum(['gzip', 'none']).default('gzip'),
  name: z.enum(['sortable', 'seed']).default('sortable'),
  schedule: z.string().min(1).max(200).optional(),
  zone: z.string().min(1).max(100).optional(),
  catch_up: z.enum(['none', 'one']).default('none'),
  archive_to: z.string().min(1).max(400).optional(),
})
type TaskJson = z.output<typeof TaskJson>

/** Throws `export-task-invalid`. */
export function parseTask(
  name: string,
  { json, select, remove, changedAtMs }: TaskFiles,
): ExportTask {
  const given = jsonOf(name, json)
  const schedule = scheduleOf(name, given)
  return {
    changedAtMs,
    ...(schedule !== undefined && { schedule }),
    name,
    source: given.source,
    work: workOf(name, given, { select, remove }),
    compression: given.compression,
    ...(given.archive_to !== undefined && { archiveTo: tableOf(name, given.archive_to) }),
    naming: given.name,
  }
}

function tableOf(task: string, archiveTo: string): string {
  try {
    const { namespace, name } = parseNewTableName({ name: archiveTo })
    return formatTableName(namespace, name)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it is no name of a table'
    throw taskInvalid(task, `archive_to: ${why}`)
  }
}

function scheduleOf(
  task: string,
  { schedule: cron, zone, catch_up: catchUp }: TaskJson,
): ExportSchedule | undefined {
  if (cron === undefined) return undefined
  const schedule = { cron, ...(zone !== undefined && { zone }) }
  try {
    ticksOf(schedule)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it is no schedule'
    throw taskInvalid(task, `schedule or zone: ${why}`)
  }
  return { ...schedule, catchUp }
}

function jsonOf(task: string, text = '{}'): TaskJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw taskInvalid(task, 'its task.json is not JSON')
  }
  const parsed = TaskJson.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') || 'task.json'
  throw taskInvalid(task, `${where}: ${issue?.message ?? 'it has another shape'}`)
}

function workOf(
  task: string,
  { table, where, columns, mode }: TaskJson,
  { select, remove }: { select: string | undefined; remove: string | undefined },
): SourceWork {
  if (table !== undefined) {
    if (select !== undefined || remove !== undefined) {
      throw taskInvalid(task, 'it has a table in task.json and SQL files: give one of both')
    }
    if (mode === 'snapshot') throw taskInvalid(task, 'the mode snapshot needs SQL files')
    if (where === undefined) {
      throw taskInvalid(task, 'it needs `where`, the condition in SQL for rows to export')
    }
    const of = { table, where, ...(columns !== undefined && { columns }) }
    return mode === 'keep' ? { mode, ...of } : { mode: 'atomic', ...of }
  }
  if (select === undefined) {
    throw taskInvalid(task, 'it needs select.sql and delete.sql, or task.json with a table')
  }
  if (mode === 'keep') return { mode, select }
  if (mode === 'atomic') throw taskInvalid(task, 'the mode atomic needs a table in task.json')
  if (remove === undefined) {
    throw taskInvalid(task, 'it has no delete.sql: add it, or say "mode": "keep" in task.json')
  }
  return { mode: 'snapshot', select, remove }
}

export function taskInvalid(task: string, why: string): ProblemError {
  return new ProblemError('export-task-unusable', `The export ${task} cannot be run: ${why}`, {
    facts: { task },
  })
}
