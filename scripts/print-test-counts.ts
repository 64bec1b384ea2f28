/** Prints the slowest files, and the one plain line that CI reads, from Jest's own JSON result. */
import { readFileSync } from 'node:fs'

const SLOWEST = 10

interface TestedFile {
  readonly name: string
  readonly startTime: number
  readonly endTime: number
}

const file = process.argv[2]
if (file === undefined) throw new Error('usage: print-test-counts.ts <jest result.json>')
const result = JSON.parse(readFileSync(file, 'utf8'))
const seconds = ({ startTime, endTime }: TestedFile) => (endTime - startTime) / 1000
const files: TestedFile[] = result.testResults
const slowest = files.toSorted((a, b) => seconds(b) - seconds(a)).slice(0, SLOWEST)
for (const tested of slowest) {
  const name = tested.name.slice(tested.name.lastIndexOf('/test/') + 1)
  console.log(`${seconds(tested).toFixed(1).padStart(7)} s  ${name}`)
}
// A suite that does not even load counts none of its tests, but is a failure.
const failed = result.numFailedTests + result.numRuntimeErrorTestSuites
const skipped = result.numPendingTests + result.numTodoTests
console.log(`${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`)
