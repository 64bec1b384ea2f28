import type { TestResult } from './junit-report.ts'

export interface Suite {
  readonly name: string
  /** What the machine lacks for it; undefined when it can run. */
  findObstacle(): string | undefined
  /** Downloads what it needs, once: what is there stays. */
  install(): Promise<void>
  run(): Promise<TestResult[]>
}
