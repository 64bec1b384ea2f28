/** Records the last full run, and writes its figures into the documents, between their marks. */
import { readFileSync, writeFileSync } from 'node:fs'
import { readResults } from './results.ts'
import { DOCUMENTS, RECORDED, recordResults, writeFigures } from './written-figures.ts'

const results = readResults()
writeFileSync(RECORDED, recordResults(results))
const { performance, readme } = writeFigures(
  {
    performance: readFileSync(DOCUMENTS.performance, 'utf8'),
    readme: readFileSync(DOCUMENTS.readme, 'utf8'),
  },
  results,
)
writeFileSync(DOCUMENTS.performance, performance)
writeFileSync(DOCUMENTS.readme, readme)
