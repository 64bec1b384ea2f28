import type { Log } from '../../core/log.ts'

const LOOK_MS = 10_000
/** What no clock gains or loses in ten seconds by itself. */
const JUMP_MS = 1_000

/**
 * The clock of this computer, held against the monotonic one, which nobody sets: SQLite has no
 * other. A jump is told in the log, once.
 */
export class ComputerClock {
  readonly #log: Log
  readonly #timer: NodeJS.Timeout
  #wallMs = Date.now()
  #monotonicMs = performance.now()

  /** The caller closes it. */
  constructor(log: Log) {
    this.#log = log
    this.#timer = setInterval(() => this.nowMs(), LOOK_MS)
    this.#timer.unref()
  }

  readonly nowMs = (): number => {
    const wallMs = Date.now()
    const monotonicMs = performance.now()
    const jumpMs = Math.round(wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs))
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    if (Math.abs(jumpMs) > JUMP_MS) this.#tell(jumpMs)
    return wallMs
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #tell(jumpMs: number): void {
    const seconds = Math.round(Math.abs(jumpMs) / 1000)
    const text =
      jumpMs < 0
        ? `the clock of this computer went back by ${seconds} s: tables that were changed before ` +
          'may be stamped in the future; their next changes are stamped a millisecond after the ' +
          'last one until the clock has caught up'
        : `the clock of this computer went ahead by ${seconds} s, or it slept: if the clock is ` +
          'wrong now, set it right soon, because changes are stamped with it'
    this.#log.warn({ jumpMs }, text)
  }
}
