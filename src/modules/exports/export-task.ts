import { createHash } from 'node:crypto'
import { z } from 'zod'
import { quotedName } from '../../core/quoted-name.ts'
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
  /** The most rows of a run of several parts. */
  readonly rowsMax?: number
  readonly compression: 'gzip' | 'none'
  /** The table that the rows are appended to, too, by its dotted name. */
  readonly archiveTo?: string
  readonly naming: 'sortable' | 'seed'
  /** Runs only when it is asked for, if absent. */
  readonly schedule?: ExportSchedule
  /** When its files were changed last, by the system that keeps them. */
  readonly changedAtMs: number
  /** SHA-256 of the texts of its files, in hexadecimal. */
  readonly digest: string
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

/** The source that is this service's own tables. */
export const OWN_TABLES = 'moraine'

const Name = z.string().min(1).max(200)
const Statement = z.string().min(1).max(100_000)

/** How rows are archived: docs/exports.md. */
export const MODES = ['atomic', 'snapshot', 'keys', 'batches', 'partition', 'keep'] as const
type Mode = (typeof MODES)[number]

const AGE = /^\d{1,6} (?:minute|hour|day|week|month|year)s?$/
const BATCH_ROWS = 10_000

const TaskJson = z.strictObject({
  source: Name.default(DEFAULT_SOURCE),
  table: z
    .string()
    .regex(/^[^.\0]+(?:\.[^.\0]+)?$/, 'is not `table` or `schema.table`')
    .max(200)
    .optional(),
  where: Statement.optional(),
  columns: z.array(Name).min(1).max(2_000).optional(),
  mode: z.enum(MODES).optional(),
  /** Columns of `keys` that are unique together. */
  keys: z.array(Name).min(1).max(32).optional(),
  batch_rows: z.int().min(1).max(10_000_000).optional(),
  max_rows: z.int().min(1).optional(),
  min_age: z.string().regex(AGE, 'is not like `90 days`').optional(),
  age_column: Name.optional(),
  compression: z.enum(['gzip', 'none']).default('gzip'),
  name: z.enum(['sortable', 'seed']).default('sortable'),
  schedule: z.string().min(1).max(200).optional(),
  zone: z.string().min(1).max(100).optional(),
  catch_up: z.enum(['none', 'one']).default('none'),
  archive_to: z.string().min(1).max(400).optional(),
  keep: z
    .boolean('is `true` or `false`: whether the rows stay where they are; files are kept for ever')
    .optional(),
})
type TaskJson = z.output<typeof TaskJson>

/** Throws `export-task-invalid`. */
export function parseTask(
  name: string,
  { json, select, remove, changedAtMs }: TaskFiles,
): ExportTask {
  const given = jsonOf(name, json)
  const schedule = scheduleOf(name, given)
  const archiveTo = given.archive_to && tableOf(name, given.archive_to)
  if (archiveTo !== undefined && isArchiveOf(archiveTo, given)) {
    throw taskInvalid(name, 'archive_to is the table itself: name another one')
  }
  return {
    changedAtMs,
    digest: createHash('sha256')
      .update(JSON.stringify([json, select, remove]))
      .digest('hex'),
    ...(schedule !== undefined && { schedule }),
    name,
    source: given.source,
    work: workOf(name, given, { select, remove }),
    ...(given.max_rows !== undefined && { rowsMax: given.max_rows }),
    compression: given.compression,
    ...(archiveTo !== undefined && { archiveTo }),
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

/** Names of `/v1` know no case. */
function isArchiveOf(archiveTo: string, { source, table = '' }: TaskJson): boolean {
  if (source !== OWN_TABLES) return false
  const named = table.includes('.') ? table : `default.${table}`
  return named.toLowerCase() === archiveTo.toLowerCase()
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

interface Statements {
  readonly select: string | undefined
  readonly remove: string | undefined
}

function workOf(task: string, json: TaskJson, statements: Statements): SourceWork {
  const { table } = json
  const mode = modeOf(task, json)
  refuseOthers(task, mode, json)
  if (table === undefined) return workOfStatements(task, mode, statements)
  if (json.source === OWN_TABLES) return workOfOwn(task, mode, { ...json, table })
  const { select, remove } = statements
  if (mode !== 'keys' && (select !== undefined || remove !== undefined)) {
    throw taskInvalid(task, 'it has a table in task.json and SQL files: give one of both')
  }
  return workOfTable(task, mode, { ...json, ...statements, table })
}

function modeOf(task: string, { mode, table, keep }: TaskJson): Mode {
  const chosen = mode ?? (keep === true ? 'keep' : table === undefined ? 'snapshot' : 'atomic')
  if (keep === undefined || keep === (chosen === 'keep')) return chosen
  const does = chosen === 'keep' ? 'deletes nothing' : 'deletes what it archives'
  throw taskInvalid(task, `keep is ${keep}, and the mode ${chosen} ${does}: give one of both`)
}

function workOfTable(
  task: string,
  mode: Mode,
  { select, remove, ...json }: TaskJson & Statements & { readonly table: string },
): SourceWork {
  const { table, columns, keys, max_rows: rowsMax, min_age: minAge, batch_rows } = json
  const chosen = { table, ...(columns !== undefined && { columns }) }
  if (mode === 'partition') {
    if (minAge === undefined) throw taskInvalid(task, 'the mode partition needs `min_age`')
    return { mode, minAge, ...chosen }
  }
  const of = { ...chosen, where: conditionOf(task, json) }
  switch (mode) {
    case 'keep':
      return { mode, ...of }
    case 'atomic':
      return { mode, ...of, rowsMax }
    case 'batches':
      return { mode, ...of, rowsMax: batch_rows ?? BATCH_ROWS }
    case 'keys':
      if (select !== undefined) return { mode, ...of, select, remove, keys, rowsMax }
      throw taskInvalid(task, 'the mode keys needs a select.sql that joins moraine_keys')
    default:
      throw taskInvalid(task, `the mode ${mode} needs SQL files and no table`)
  }
}

function workOfOwn(
  task: string,
  mode: Mode,
  json: TaskJson & { readonly table: string },
): SourceWork {
  const { table, columns, where, min_age: age, age_column: column, max_rows } = json
  if ((mode !== 'atomic' && mode !== 'keep') || max_rows !== undefined) {
    const why = 'of our own tables all rows of the condition are archived at once: atomic or keep'
    throw taskInvalid(task, why)
  }
  conditionOf(task, json)
  const of = {
    ...{ table, where: where ?? 'true' },
    ...(columns !== undefined && { columns }),
    ...(age !== undefined && column !== undefined && { older: { column, ms: msOf(age) } }),
  }
  return mode === 'keep' ? { mode, ...of } : { mode, ...of }
}

/** Months and years as long as they are at most. */
function msOf(age: string): number {
  const [, count, unit = ''] = /^(\d+) ([a-z]+?)s?$/.exec(age) ?? []
  const days = { day: 1, week: 7, month: 31, year: 366 }[unit]
  const ms = days === undefined ? { minute: 60_000, hour: 3_600_000 }[unit] : days * 86_400_000
  return Number(count) * (ms ?? 0)
}

/** Rows of the task's condition, of at least the age that it says. */
function conditionOf(task: string, { where, min_age, age_column }: TaskJson): string {
  if ((min_age === undefined) !== (age_column === undefined)) {
    throw taskInvalid(task, 'min_age and age_column belong together')
  }
  const old = age_column && `${quotedName(age_column)} < now() - interval '${min_age}'`
  const conditions = [where && `(${where}\n)`, old].filter((each) => each !== undefined)
  if (conditions.length > 0) return conditions.join(' and ')
  throw taskInvalid(task, 'it needs `where`, the condition in SQL for rows to export')
}

function workOfStatements(task: string, mode: Mode, { select, remove }: Statements): SourceWork {
  if (select === undefined) {
    throw taskInvalid(task, 'it needs select.sql and delete.sql, or task.json with a table')
  }
  if (mode === 'keep') return { mode, select }
  if (mode !== 'snapshot') throw taskInvalid(task, `the mode ${mode} needs a table in task.json`)
  if (remove === undefined) {
    throw taskInvalid(task, 'it has no delete.sql: add it, or say "mode": "keep" in task.json')
  }
  return { mode, select, remove }
}

/** Members that only some modes have, and these. */
const ONLY_OF = {
  keys: ['keys'],
  batch_rows: ['batches'],
  max_rows: ['atomic', 'keys', 'batches'],
  min_age: ['atomic', 'keys', 'batches', 'keep', 'partition'],
  age_column: ['atomic', 'keys', 'batches', 'keep'],
  where: ['atomic', 'keys', 'batches', 'keep'],
} as const satisfies Partial<Record<keyof TaskJson, readonly Mode[]>>

function refuseOthers(task: string, mode: Mode, json: TaskJson): void {
  for (const [member, modes] of Object.entries(ONLY_OF)) {
    const isGiven = json[member as keyof TaskJson] !== undefined
    if (!isGiven || (modes as readonly string[]).includes(mode)) continue
    throw taskInvalid(task, `${member} has no meaning in the mode ${mode}`)
  }
  if (json.name === 'seed' && isInParts(mode)) {
    throw taskInvalid(task, `files of the mode ${mode} cannot be named as the seed's`)
  }
}

/** Whether runs of the mode have several transactions, with a file each. */
export function isInParts(mode: Mode): boolean {
  return mode === 'batches' || mode === 'partition'
}

/** A row of the source is at fault, and the task may be as it should be. */
export function rowInvalid(task: string, why: string): ProblemError {
  return new ProblemError('export-row-invalid', `The export ${task} was rolled back: ${why}`, {
    facts: { task },
  })
}

export function taskInvalid(task: string, why: string): ProblemError {
  return new ProblemError('export-task-unusable', `The export ${task} cannot be run: ${why}`, {
    facts: { task },
  })
}
