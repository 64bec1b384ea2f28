import { join } from 'node:path'
import { hasTool } from './command.ts'
import { RESULTS } from './places.ts'
import { printedSuite } from './printed-suite.ts'

const PROGRAM = join(RESULTS, 'go-client')

/** Go's own library of Iceberg, whose modules are pinned in go.mod and go.sum. */
export const goSuite = printedSuite({
  title: 'iceberg-go 0.7.0',
  folder: 'go',
  label: 'iceberg-go',
  program: PROGRAM,
  // Two packages at once: some of them take a gigabyte to compile.
  build: { program: 'go', args: ['build', '-p', '2', '-o', PROGRAM, '.'] },
  buildTimeoutMs: 15 * 60 * 1000,
  findObstacle: () =>
    hasTool('go', 'version') ? undefined : 'Go is not installed: give Go 1.25 or later',
})
