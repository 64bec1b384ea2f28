import { existsSync } from 'node:fs'

/**
 * Whether open files have paths of their own, `/proc/self/fd/…`: on Linux, but not in every
 * sandbox. Without them, folders are looked at by their paths before and after each use.
 */
export const HAS_PROC = process.platform === 'linux' && existsSync('/proc/self/fd')
