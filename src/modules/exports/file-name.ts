import type { ExportTask } from './export-task.ts'

/** Folder of runs that have not ended; no task's name begins with a dot. */
export const UNFINISHED = '.staged'
export const STAGED_ENDING = '.csv'
/** Beside a staged file that was in a backup. */
export const RESTORED_ENDING = '.restored'
/** What lies beside a staged file: its note, its rows as Parquet, where they were placed. */
const BESIDE_STAGED = /\.csv\..+$/
const ENDINGS = { gzip: '.csv.gz', none: '.csv' } as const

/**
 * Two names for the file of a run: the first unless that is taken. Sortable ones have the run's
 * id: one is taken only if the run's outcome was not kept, and it began again within a second.
 * Those of the seed are of a second.
 */
export function fileNames(
  { name, naming, compression }: Pick<ExportTask, 'name' | 'naming' | 'compression'>,
  {
    runId,
    markId,
    at,
    part,
  }: {
    readonly runId: string
    readonly markId: string
    readonly at: Date
    /** From 1; absent in runs of one file. */
    readonly part?: number | undefined
  },
): readonly [string, string] {
  const number = part === undefined ? '' : `-${String(part).padStart(5, '0')}`
  const run = `${runId.slice(0, 8)}${number}`
  const ending = ENDINGS[compression]
  const sortable = `${name}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${run}`
  const again = `${sortable}_${markId.slice(0, 8)}`
  if (naming === 'sortable') return [`${sortable}${ending}`, `${again}${ending}`]
  return [`${name}-${seedTime(at)}${ending}`, `${name}-${seedTime(at)}-${run}${ending}`]
}

/** `2025_01_01-12_00_00_AM`, in UTC. */
function seedTime(at: Date): string {
  const two = (part: number) => String(part).padStart(2, '0')
  const hour = at.getUTCHours()
  const day = [at.getUTCFullYear(), two(at.getUTCMonth() + 1), two(at.getUTCDate())].join('_')
  const time = [two(hour % 12 || 12), two(at.getUTCMinutes()), two(at.getUTCSeconds())].join('_')
  return `${day}-${time}_${hour < 12 ? 'AM' : 'PM'}`
}

/** Whether the run of the file may have others. */
export function isOfPart(file: string): boolean {
  return /-[0-9a-f]{8}-\d{5,}(?:_[^.]*)?\.csv(?:\.gz)?$/.test(file)
}

const SORTABLE_TIME = String.raw`(?<sortable>\d{8}T\d{6})Z`
const SEED_DATE = String.raw`(?<date>\d{4}_\d\d_\d\d)`
const SEED_TIME = String.raw`(?<hour>\d\d)_(?<minutes>\d\d_\d\d)_(?<half>[AP])M`
const RUN = String.raw`(?:-(?<run>[^-_.]{1,8}))?(?:-(?<part>\d{5,}))?(?:_[^.]*)?`
const FILE_NAME = new RegExp(
  `-(?:${SORTABLE_TIME}|${SEED_DATE}-${SEED_TIME})${RUN}\\.csv(?:\\.gz)?$`,
)

export interface NamedFile {
  readonly file: string
  /** The first characters of its run's id; `undefined` where a name of the seed tells no run. */
  readonly run: string | undefined
  /** Sorts files by the time in their names, then by their parts. */
  readonly timeOrder: string
  /** Sorts the files of one run by their parts, whatever its clock did. */
  readonly partOrder: string
}

/** What the name of an archived file tells. */
export function readFileName(file: string): NamedFile {
  const { groups = {} } = FILE_NAME.exec(file) ?? {}
  const { sortable, date, hour, minutes, half, run, part = '' } = groups
  const hours = (Number(hour) % 12) + (half === 'P' ? 12 : 0)
  const seed = `${date}T${String(hours).padStart(2, '0')}${minutes}`.replaceAll('_', '')
  const number = part.padStart(10, '0')
  return {
    file,
    run,
    timeOrder: `${sortable ?? seed} ${number} ${file}`,
    partOrder: `${number} ${file}`,
  }
}

/** The run that an object of a run that has not ended belongs to. */
export function runOfStaged(location: string): string {
  return /([^/_]+)_[^/]*$/.exec(location)?.[1] ?? ''
}

/** The staged file that an object is, or lies beside. */
export function stagedOf(location: string): string {
  return location.replace(BESIDE_STAGED, STAGED_ENDING)
}
