import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { meetsAim, openReport, RECORDS_VARIABLE } from '../../bench/report.ts'
import {
  mergeResults,
  parseRecords,
  renderAims,
  renderTable,
  replaceBetweenMarks,
  round,
} from '../../bench/results.ts'
import { selectBenches } from '../../bench/selection.ts'

const FILES = ['commit-bench.ts', 'plan-million-bench.ts', 'plan-bench.ts', 'machine.ts']

function recordsOf(work: (report: ReturnType<typeof openReport>) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-report-'))
  const file = join(folder, 'records.ndjson')
  process.env[RECORDS_VARIABLE] = file
  try {
    work(openReport('commit'))
    return parseRecords(readFileSync(file, 'utf8'))
  } finally {
    delete process.env[RECORDS_VARIABLE]
    rmSync(folder, { recursive: true })
  }
}

const FIGURE = {
  what: 'appends, 64 clients',
  value: 1234.5,
  unit: '/s',
  aim: { atLeast: 1000 },
  limit: { what: 'fdatasync', value: 4000 },
  peer: { what: 'PyIceberg', version: '0.12.0', value: 7.25 },
}

test('a word selects the bench of that name, or those that begin with it', () => {
  expect(selectBenches(FILES, [])).toEqual(['commit', 'plan', 'plan-million'])
  expect(selectBenches(FILES, ['plan'])).toEqual(['plan'])
  expect(selectBenches(FILES, ['pl', 'commit'])).toEqual(['commit', 'plan', 'plan-million'])
})

test('a word that means no bench is refused, with the names that there are', () => {
  expect(() => selectBenches(FILES, ['commit', 'comit'])).toThrow(
    "no bench 'comit': there are commit, plan, plan-million",
  )
})

test('a figure is recorded at once, with what it depends on', () => {
  const [record, ...others] = recordsOf((report) => report.figure(FIGURE))
  expect(others).toEqual([])
  expect(record).toMatchObject({ bench: 'commit', ...FIGURE, quick: false })
  expect(record?.versions).toMatchObject({ node: process.versions.node })
  expect(record?.commit).toMatch(/^([0-9a-f]{10}\+?|unknown)$/)
  expect(new Date(record?.time ?? '').toISOString()).toBe(record?.time)
})

test('what is no number is no figure', () => {
  expect(() => openReport('commit').figure({ ...FIGURE, value: Number.NaN })).toThrow('no figure')
})

test('an aim is met from its own value on', () => {
  expect(meetsAim({ value: 1 })).toBeUndefined()
  expect(meetsAim({ value: 1000, aim: { atLeast: 1000 } })).toBe(true)
  expect(meetsAim({ value: 999, aim: { atLeast: 1000 } })).toBe(false)
  expect(meetsAim({ value: 20, aim: { atMost: 20 } })).toBe(true)
  expect(meetsAim({ value: 20.1, aim: { atMost: 20 } })).toBe(false)
})

test('the table has a line for each figure, missed aims and skipped ones marked', () => {
  const records = recordsOf((report) => {
    report.figure(FIGURE)
    report.figure({ what: 'plan', value: 31.26, unit: 'ms', aim: { atMost: 20 } })
    report.skip('DuckLake', 'its extension is not to be had')
  })
  expect(renderTable(records).split('\n').slice(2)).toEqual([
    '| commit | appends, 64 clients | 1,235 /s | >= 1,000 | fdatasync: 4,000 ' +
      '| PyIceberg 0.12.0: 7.25 |',
    '| commit | plan | 31.3 ms | <= 20: **missed** |  |  |',
    '| commit | DuckLake | skipped: its extension is not to be had |  |  |  |',
  ])
})

test('figures are shown with the digits that count', () => {
  expect([0, 0.012345, 1.005, 99.96, 12_345.6].map(round)).toEqual([
    '0',
    '0.0123',
    '1',
    '100',
    '12,346',
  ])
})

test('the figures of a bench that ran again replace its earlier ones, and no others', () => {
  const [commit] = recordsOf((report) => report.figure(FIGURE))
  if (commit === undefined) throw new Error('no record')
  const read = { ...commit, bench: 'read' }
  const run = (bench: string, seconds: number) => ({ bench, outcome: 'done' as const, seconds })
  const before = { runs: [run('commit', 5), run('read', 7)], records: [commit, commit, read] }
  const after = { runs: [run('commit', 6)], records: [{ ...commit, value: 2 }] }
  expect(mergeResults(before, after)).toEqual({
    runs: [run('commit', 6), run('read', 7)],
    records: [{ ...commit, value: 2 }, read],
  })
})

test('the table of aims has the missed ones first, and nothing without an aim', () => {
  const records = recordsOf((report) => {
    report.figure({ what: 'kept', value: 1, unit: '/s', aim: { atLeast: 1 } })
    report.figure({ what: 'told', value: 1, unit: '/s' })
    report.figure({ what: 'missed', value: 1, unit: '/s', aim: { atLeast: 2 } })
  })
  const names = renderAims(records).split('\n').slice(2)
  expect(names.map((line) => line.split(' | ')[1])).toEqual(['missed', 'kept'])
})

test('a document gets new text between its marks, again and again, and keeps the rest', () => {
  const empty = 'a\n<!-- x -->\n<!-- /x -->\nb'
  const once = replaceBetweenMarks(empty, 'x', 'one')
  expect(once).toBe('a\n<!-- x -->\none\n<!-- /x -->\nb')
  expect(replaceBetweenMarks(once, 'x', 'two')).toBe('a\n<!-- x -->\ntwo\n<!-- /x -->\nb')
  expect(() => replaceBetweenMarks(empty, 'y', 'one')).toThrow('<!-- y -->')
})
