/** Writes the figures of the last full run into docs/performance.md, between its marks. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './machine.ts'
import { readResults, renderAims, renderTable, replaceBetweenMarks } from './results.ts'

const DOCUMENT = join(ROOT, 'docs/performance.md')

const { runs, records } = readResults()
const text = readFileSync(DOCUMENT, 'utf8')
const [first] = records
if (first === undefined) throw new Error('there are no figures: npm run bench')
const commits = [...new Set(records.map(({ commit }) => commit))].join(', ')
const versions = Object.entries(first.versions).map(([name, version]) => `${name} ${version}`)
const circumstances = `${first.machine}; ${versions.join(', ')}; commit ${commits}`
const seconds = runs.map(({ bench, seconds }) => `${bench} ${seconds} s`).join(', ')
const figures = `${circumstances}.\n\n${renderTable(records)}\n\nThe run: ${seconds}.`
const aims = replaceBetweenMarks(text, 'aims', renderAims(records))
writeFileSync(DOCUMENT, replaceBetweenMarks(aims, 'figures', figures))
