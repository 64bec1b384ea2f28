import { homedir } from 'node:os'
import { join } from 'node:path'
import { hasTool } from './command.ts'
import { printedSuite } from './printed-suite.ts'

/** Outside of the tree: the compiled crates take 2 GB, and are good for every clone. */
const TARGET = join(homedir(), '.cache', 'moraine-interop', 'rust')

/** Rust's own library of Iceberg, whose crates are pinned in Cargo.lock. */
export const rustSuite = printedSuite({
  title: 'iceberg-rust 0.10.1',
  folder: 'rust',
  label: 'iceberg-rust',
  program: join(TARGET, 'debug', 'rust-client'),
  build: { program: 'cargo', args: ['build', '--locked', '--jobs', '2'] },
  buildEnvironment: { CARGO_TARGET_DIR: TARGET },
  buildTimeoutMs: 30 * 60 * 1000,
  findObstacle: () => {
    if (process.env['INTEROP_ALL'] !== '1') {
      return 'compiles for minutes; `make interop-all` runs it'
    }
    return hasTool('cargo', '--version')
      ? undefined
      : 'Rust is not installed: give Rust 1.94 or later'
  },
})
