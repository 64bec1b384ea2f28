import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './machine.ts'
import { renderReadmeFigures } from './readme-figures.ts'
import type { BenchRecord } from './report.ts'
import {
  commitsOf,
  firstOf,
  type Results,
  renderAims,
  renderTable,
  replaceBetweenMarks,
} from './results.ts'

/** The results of the last full run, in the repository: all figures of the documents are its. */
export const RECORDED = join(ROOT, 'docs/bench-results.json')
export const DOCUMENTS = {
  performance: join(ROOT, 'docs/performance.md'),
  readme: join(ROOT, 'README.md'),
} as const

export type Documents = Readonly<Record<keyof typeof DOCUMENTS, string>>

/** The machine and versions once, then a record a line. */
export function recordResults({ runs, records }: Results): string {
  const { machine, versions } = firstOf(records)
  const lines = records.map(({ machine: _machine, versions: _versions, ...record }) => {
    return `    ${JSON.stringify(record)}`
  })
  const head = Object.entries({ machine, versions, runs }).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`,
  )
  return ['{', ...head, '  "records": [', lines.join(',\n'), '  ]', '}', ''].join('\n')
}

export function readRecorded(): Results {
  const { machine, versions, runs, records } = JSON.parse(readFileSync(RECORDED, 'utf8'))
  const whole = (record: object) => ({ machine, versions, ...record }) as BenchRecord
  return { runs, records: records.map(whole) }
}

/** The documents with the figures of these results. */
export function writeFigures(
  { performance, readme }: Documents,
  { runs, records }: Results,
): Documents {
  const { machine, versions } = firstOf(records)
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const circumstances = `${machine}; ${named.join(', ')}; commit ${commitsOf(records)}`
  const seconds = runs.map(({ bench, seconds: took }) => `${bench} ${took} s`).join(', ')
  const figures = `${circumstances}.\n\n${renderTable(records)}\n\nThe run: ${seconds}.`
  const aims = replaceBetweenMarks(performance, 'aims', renderAims(records))
  return {
    performance: replaceBetweenMarks(aims, 'figures', figures),
    readme: replaceBetweenMarks(readme, 'figures', renderReadmeFigures(records)),
  }
}
