import { z } from 'zod'
import { timeText } from '../../http/common-shapes.ts'

/** Steps that are kept of the first and of the last: runs may have any number of parts. */
const FIRST_MAX = 20
const LAST_MAX = 180

/** What a run does, in this order; a conflict begins again with `began-transaction`. */
const RUN_STEPS = [
  'began',
  'settled',
  'opened-source',
  'began-transaction',
  'copied',
  'converted',
  'deleted',
  'noted',
  'committed',
  'published',
  'appended',
  'conflict',
  'empty',
  'failed',
  'withdrawn',
] as const

/**
 * One step. Numbers, names and codes only: no text of a task, a source or a row, so that whoever
 * may see the run may see its log.
 */
export const RunStep = z.object({
  step: z.enum(RUN_STEPS),
  at: z.string(),
  ms: z.int(),
  attempt: z.int(),
  part: z.int().optional(),
  rows: z.int().optional(),
  bytes: z.int().optional(),
  proof: z.string().optional(),
  file: z.string().optional(),
  outcome: z.enum(['committed', 'rolled-back']).optional(),
  problem: z.string().optional(),
})
export type RunStep = z.output<typeof RunStep>
type StepFacts = Omit<RunStep, 'step' | 'at' | 'ms' | 'attempt'>

const Progress = z.object({
  rows: z.int().optional(),
  bytes: z.int().optional(),
  steps: z.array(RunStep),
  left_out: z.int(),
})
type Progress = z.output<typeof Progress>

/** The log in the progress of a job; empty where there is none. */
export function logOf(progress: unknown): Pick<Progress, 'steps' | 'left_out'> {
  const { steps = [], left_out = 0 } = Progress.safeParse(progress).data ?? {}
  return { steps, left_out }
}

/** How far a run is, without its log; `null` before the first row. */
export function countsOf(progress: unknown): { rows: number; bytes: number } | null {
  const { rows, bytes } = Progress.partial().safeParse(progress).data ?? {}
  return rows === undefined || bytes === undefined ? null : { rows, bytes }
}

/** What a run did, by step, in the progress of its job: durable before its transaction commits. */
export class RunLog {
  readonly #nowMs: () => number
  readonly #attempt: number
  readonly #report: (progress: unknown) => void
  #progress: Progress
  #lastMs = performance.now()

  constructor({
    nowMs,
    attempt,
    before,
    report,
  }: {
    readonly nowMs: () => number
    readonly attempt: number
    /** The progress that an earlier attempt left. */
    readonly before: unknown
    report(progress: unknown): void
  }) {
    this.#nowMs = nowMs
    this.#attempt = attempt
    this.#report = report
    this.#progress = logOf(before)
  }

  /** A step that has ended now, and began when the one before it ended. */
  add(
    step: RunStep['step'],
    { part, ...facts }: { [Fact in keyof StepFacts]?: StepFacts[Fact] | undefined } = {},
  ): void {
    const nowMs = performance.now()
    const { steps, left_out } = this.#progress
    const added = [
      ...steps,
      {
        ...{ step, at: timeText(this.#nowMs()), ms: Math.round(nowMs - this.#lastMs) },
        attempt: this.#attempt,
        ...(part !== undefined && { part }),
        ...facts,
      },
    ]
    const cut = Math.max(0, added.length - FIRST_MAX - LAST_MAX)
    added.splice(FIRST_MAX, cut)
    this.#lastMs = nowMs
    this.#show({ ...this.#progress, steps: added, left_out: left_out + cut })
  }

  /** How far the copy is. */
  count(counts: { readonly rows: number; readonly bytes: number }): void {
    this.#show({ ...this.#progress, ...counts })
  }

  #show(progress: Progress): void {
    this.#progress = progress
    this.#report(progress)
  }
}
