/** The one plain line that CI reads, from Jest's own JSON result. */
import { readFileSync } from 'node:fs'

const file = process.argv[2]
if (file === undefined) throw new Error('usage: print-test-counts.ts <jest result.json>')
const result = JSON.parse(readFileSync(file, 'utf8'))
// A suite that does not even load counts none of its tests: it is a failure all the same.
const failed = result.numFailedTests + result.numRuntimeErrorTestSuites
const skipped = result.numPendingTests + result.numTodoTests
console.log(`${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`)
