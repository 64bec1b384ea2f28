import fc from 'fast-check'
import { checkHistory } from './check-history.ts'
import type { History, LoggedSnapshot, Reading } from './history.ts'
import { type Asked, historyOf, withFiles, withLog, withOperation } from './made-history.ts'

const GOOD: readonly (readonly Asked[])[] = [
  [{ id: 'one', at: [0, 10], changes: { t: '+a' } }],
  [
    { id: 'two', at: [11, 20], changes: { t: '+b' } },
    { id: 'three', at: [12, 21], changes: { t: '+c +d' } },
  ],
  [{ id: 'both', at: [22, 30], changes: { t: '+e', u: '+f' } }],
  [
    {
      id: 'lost answer',
      at: [23, Number.POSITIVE_INFINITY],
      changes: { t: '+g' },
      outcome: 'unknown',
    },
  ],
  [{ id: 'refused', at: [24, 31], changes: { t: '+h' }, outcome: 'refused' }],
  [{ id: 'remove', at: [32, 40], changes: { t: '-a -c' }, touchedBy: 31 }],
  [{ id: 'replace', at: [41, 50], changes: { t: '* +i' }, touchedBy: 40.5 }],
  [{ id: 'last', at: [51, 60], changes: { t: '+j', u: '+k' } }],
]
const good = historyOf(GOOD)

function expectWrong(history: History, ...words: readonly string[]): void {
  const wrong = checkHistory(history)
  for (const word of words) expect(wrong.join('\n')).toContain(word)
}

/** The log with the files of snapshots from one on changed: what is wrong once stays wrong. */
function from(
  sequenceNumber: number,
  change: (files: readonly string[]) => readonly string[],
): (log: readonly LoggedSnapshot[]) => readonly LoggedSnapshot[] {
  return (log) =>
    log.map((s) => (Number(s.sequenceNumber) < sequenceNumber ? s : withFiles(s, change(s.files))))
}

test('a history as it should be is right', () => {
  expect(checkHistory(good)).toEqual([])
})

test('an operation whose answer was lost may also have never happened', () => {
  const groups = GOOD.filter(([first]) => first?.id !== 'lost answer')
  const never = historyOf(groups)
  const lost = good.operations.filter(({ id }) => id === 'lost answer')
  expect(checkHistory({ ...never, operations: [...never.operations, ...lost] })).toEqual([])
})

test('an acknowledged append that is in no snapshot is lost', () => {
  const bad = historyOf(GOOD.slice(0, 2))
  const { operations } = historyOf([[{ id: 'x', at: [22, 23], changes: { t: '+x' } }]])
  expectWrong(
    { ...bad, operations: [...bad.operations, ...operations] },
    'x: it was acknowledged, and is lost',
  )
})

test('an acknowledged append whose file is missing from its snapshot is found', () => {
  const bad = withLog(
    good,
    't',
    from(2, (files) => files.filter((path) => path !== 'b')),
  )
  expectWrong(bad, 't@2: it adds c d, not b c d')
})

test('an append that is in the log twice is found, also under two transactions', () => {
  const again = [{ id: 'one', at: [0, 10], changes: { t: '+a' } }] as const
  const bad = historyOf([...GOOD.slice(0, 2), again])
  expectWrong({ ...bad, operations: bad.operations.slice(0, 3) }, 'one is in the log twice')
  const retry: Asked = { id: 'one again', at: [11, 12], changes: { t: '+a' } }
  expectWrong(historyOf([GOOD[0] ?? [], [retry]]), 't@2: a file is in it twice')
})

test('a refused append that is there is found', () => {
  expectWrong(
    withOperation(good, 'two', ({ results: _, ...o }) => ({ ...o, outcome: 'refused' })),
    'two: it was refused, and is there',
  )
})

test('an append that was seen before it was called is found', () => {
  const reading = { table: 't', snapshotId: 't-2', files: ['a', 'b', 'c', 'd'] }
  const early: Reading = { ...reading, calledAt: 5, answeredAt: 10.5 }
  expectWrong({ ...good, readings: [early] }, 'could not be current at that moment')
  const inTime = { ...reading, calledAt: 5, answeredAt: 13 }
  expect(checkHistory({ ...good, readings: [inTime] })).toEqual([])
})

test('a reading that misses what was acknowledged before it is found', () => {
  const files = ['a', 'b', 'c', 'd']
  const late: Reading = { table: 't', snapshotId: 't-2', files, calledAt: 31, answeredAt: 33 }
  expectWrong({ ...good, readings: [late] }, 'could not be current at that moment')
  expect(checkHistory({ ...good, readings: [{ ...late, calledAt: 29 }] })).toEqual([])
})

test('a reading with other files than its snapshot, or of no snapshot, is found', () => {
  const reading: Reading = {
    ...{ table: 't', snapshotId: 't-1', calledAt: 5, answeredAt: 13 },
    files: ['a', 'b'],
  }
  expectWrong({ ...good, readings: [reading] }, 'its files are not those of snapshot t-1')
  const stranger = { ...reading, snapshotId: 't-99' }
  expectWrong({ ...good, readings: [stranger] }, 'there is no snapshot t-99')
})

test('a reading as at an instant is of the snapshot that was current then', () => {
  const reading = { table: 't', calledAt: 90, answeredAt: 91, asAtMs: 1002 }
  const right = { ...reading, snapshotId: 't-2', files: ['a', 'b', 'c', 'd'] }
  const before = { ...reading, asAtMs: 1000, snapshotId: null, files: [] }
  expect(checkHistory({ ...good, readings: [right, before] })).toEqual([])
  const wrong = { ...reading, snapshotId: 't-1', files: ['a'] }
  expectWrong({ ...good, readings: [wrong] }, 'snapshot 0, not 1, of the log')
})

test('a truncation that was answered before another was called comes before it', () => {
  const first: Asked = { id: 'first', at: [0, 10], changes: { t: '* +a' } }
  const second: Asked = { id: 'second', at: [11, 20], changes: { t: '* +b' } }
  expect(checkHistory(historyOf([[first], [second]]))).toEqual([])
  expectWrong(historyOf([[second], [first]]), 'first was answered before one that comes first')
  const atOnce: Asked = { ...second, at: [9, 20] }
  expect(checkHistory(historyOf([[atOnce], [first]]))).toEqual([])
})

test('two appends that were never under way at once share no snapshot', () => {
  const early: Asked = { id: 'early', at: [0, 10], changes: { t: '+a' } }
  const late: Asked = { id: 'late', at: [11, 20], changes: { t: '+b' } }
  expectWrong(historyOf([[early, late]]), 'early was answered before')
})

test('a removed file that comes back is found', () => {
  const back = from(5, (files) => [...files, 'a'])
  expectWrong(withLog(good, 't', back), 't@5: it removes c, not a c')
  const later = from(7, (files) => [...files, 'b'])
  expectWrong(withLog(good, 't', later), 't@7: it adds j b, not j')
})

test('a truncation that spares a file is found', () => {
  const bad = withLog(
    good,
    't',
    from(6, (files) => [...files, 'b']),
  )
  expectWrong(bad, 't@6: it removes d e g, not b d e g')
})

test('a transaction over two tables that is at one only is torn', () => {
  const torn = withLog(good, 'u', (log) => log.slice(0, 1))
  expectWrong(torn, 'last: it is at some of its tables only', 'last: its result has no snapshot')
})

test('an order that differs between two tables is found', () => {
  const [x, y] = [
    { id: 'x', at: [0, 10], changes: { t: '+x1', u: '+x2' } },
    { id: 'y', at: [0, 10], changes: { t: '+y1', u: '+y2' } },
  ] as const
  const [xFirst, yFirst] = [historyOf([[x], [y]]), historyOf([[y], [x]])]
  expect(checkHistory(xFirst)).toEqual([])
  const tables = [xFirst.tables[0], yFirst.tables[1]].flatMap((log) => log ?? [])
  const operations = xFirst.operations.map(({ results: _, ...operation }) => operation)
  expectWrong({ ...xFirst, operations, tables }, 'no one order explains: ')
})

test('an order over two tables that disagrees with real time is found', () => {
  // One after the other: a, then both at once at the other table, then c; but c comes before both
  // at its own.
  const a: Asked = { id: 'a', at: [0, 30], changes: { t: '+a' } }
  const both: Asked = { id: 'both', at: [0, 30], changes: { t: '+b1', u: '+b2' } }
  const c: Asked = { id: 'c', at: [0, 30], changes: { u: '+c' } }
  expect(checkHistory(historyOf([[c], [both], [a]]))).toEqual([])
  const early = withOperation(historyOf([[c], [both], [a]]), 'a', (o) => ({ ...o, answeredAt: 9 }))
  const bad = withOperation(early, 'c', (o) => ({ ...o, calledAt: 10 }))
  expectWrong(bad, 'no one order explains: ')
})

test('what removes on a base gives way to what was committed since', () => {
  const touched = (touchedBy: number) =>
    historyOf([
      [{ id: 'base', at: [0, 5], changes: { t: '+a' } }],
      [{ id: 'between', at: [10, 15], changes: { t: '+b' } }],
      [{ id: 'replace', at: [11, 20], changes: { t: '* +c' }, touchedBy }],
    ])
  expect(checkHistory(touched(12))).toEqual([])
  expectWrong(touched(6), 'replace took away what was committed since its base')
})

test('what truncates or removes is alone in its snapshot', () => {
  const [one, two] = [
    { id: 'one', at: [0, 10], changes: { t: '* +a' } },
    { id: 'two', at: [0, 10], changes: { t: '+b' } },
  ] as const
  expectWrong(historyOf([[one, two]]), 'what truncates or removes shares it with others')
})

test('sequence numbers and times that do not grow are found, and parents that are others', () => {
  const change = (part: Partial<LoggedSnapshot>) =>
    withLog(good, 't', (log) => log.map((s, index) => (index === 2 ? { ...s, ...part } : s)))
  expectWrong(change({ sequenceNumber: '2' }), 'its sequence number follows 2')
  expectWrong(change({ sequenceNumber: '9' }), 't@9: its sequence number follows 2')
  expectWrong(change({ timestampMs: 1002 }), 't@3: its time is not after')
  expectWrong(change({ parentSnapshotId: 't-1' }), 't@3: its parent is not the snapshot before')
  expectWrong(change({ snapshotId: 't-1' }), 't-1 is in the log twice')
  expectWrong(change({ transactionIds: ['transaction of one'] }), 'one is in the log twice')
  expectWrong(change({ totalFiles: 9 }), 't@3: its total of files is 9')
  expectWrong(change({ totalRecords: 9 }), 't@3: its total of records is 9')
  expectWrong(change({ operationIds: [] }), 't@3: nobody made it')
  expectWrong(change({ operationIds: ['who'] }), 't@3: nobody is who')
})

test('counts that are not the transaction’s own are found', () => {
  const answered = (id: string, part: object) =>
    withOperation(good, id, (o) => ({
      ...o,
      results: o.results?.map((r) => ({ ...r, ...part })) ?? [],
    }))
  expectWrong(answered('two', { addedFiles: 3 }), 'two was answered addedFiles 3, not 1')
  expectWrong(answered('two', { addedRecords: 30 }), 'two was answered addedRecords 30, not 10')
  expectWrong(answered('replace', { removedFiles: 3 }), 'answered removedFiles 3, not 4')
  expectWrong(answered('remove', { operation: 'append' }), 'operation append, not delete')
  expectWrong(answered('one', { snapshotId: 't-2' }), 'answered snapshotId t-2, not t-1')
  expectWrong(answered('one', { table: 'u' }), 'one: it was answered a result for u')
  const none = withOperation(good, 'one', (o) => ({ ...o, results: [] }))
  expectWrong(none, 't@1: one was answered no result for it')
})

test('a truncation to no effect is right only while the table may be empty', () => {
  const truncation = (at: readonly [number, number]): Asked => ({
    id: 'none',
    at,
    changes: { t: '*' },
  })
  const withTruncation = (at: readonly [number, number]) => {
    const { operations } = historyOf([[truncation(at)]])
    const idle = operations.map((operation) => ({ ...operation, results: [] }))
    return { ...good, operations: [...good.operations, ...idle] }
  }
  expect(checkHistory(withTruncation([-5, 5]))).toEqual([])
  expectWrong(withTruncation([15, 16]), 'none: it had an effect on t, and was answered none')
})

test('a removal of what is gone is right where it takes whatever is there, and only there', () => {
  const [added, gone] = [GOOD[0] ?? [], { id: 'gone', at: [61, 70] } as const]
  const truncation: Asked = { id: 'all', at: [20, 30], changes: { t: '*' } }
  const removal = (sign: string): Asked => ({ ...gone, changes: { t: `${sign} -a`.trim() } })
  expect(checkHistory(historyOf([added, [truncation], [removal('!')]]))).toEqual([])
  expectWrong(historyOf([added, [truncation], [removal('')]]), 't@3: it removes nothing, not a')
  const none = withOperation(historyOf([added, [removal('!')]]), 'gone', (o) => ({
    ...o,
    results: [],
  }))
  const lost = withLog(none, 't', (log) => log.slice(0, 1))
  expectWrong(lost, 'gone: it had an effect on t, and was answered none')
})

test('a contradiction that a client saw is reported', () => {
  expectWrong({ ...good, contradictions: ['two answers'] }, 'two answers')
})

const groups = fc.array(
  fc.array(
    fc.record({
      changes: fc.constantFrom<readonly string[]>(['t'], ['u'], ['t', 'u']),
      takes: fc.constantFrom('', '', '', '*'),
      before: fc.nat(30),
      after: fc.nat(30),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  { minLength: 1, maxLength: 12 },
)

/**
 * Operations that take effect one group after the other, each somewhere between its call and its
 * answer.
 */
function serial(drawn: typeof groups extends fc.Arbitrary<infer T> ? T : never): History {
  let count = 0
  return historyOf(
    drawn.map((group, index) => {
      const at = index * 10
      const [first] = group
      const isAlone = first === undefined || first.takes === '*' || first.changes.length > 1
      const plain = group.filter(({ takes, changes }) => takes === '' && changes.length === 1)
      return (isAlone ? group.slice(0, 1) : plain).map(
        ({ changes, takes, before, after }): Asked => {
          const id = `op-${++count}`
          const text = `${takes} +${id}`.trim()
          return {
            ...{ id, at: [at - before - 1, at + after] },
            changes: Object.fromEntries(
              changes.map((table) => [table, text.replace(id, `${id}-${table}`)]),
            ),
          }
        },
      )
    }),
  )
}

test('every history that was made one after the other is right, however calls overlap', () => {
  fc.assert(fc.property(groups, (drawn) => expect(checkHistory(serial(drawn))).toEqual([])))
})

test('a file that is gone from any snapshot is always missed', () => {
  fc.assert(
    fc.property(groups, fc.nat(), (drawn, pick) => {
      const history = serial(drawn)
      const log = history.tables[pick % history.tables.length]
      const index = pick % (log?.snapshots.length ?? 1)
      const [gone] = log?.snapshots[index]?.files ?? []
      fc.pre(log !== undefined && gone !== undefined)
      const drop = (files: readonly string[]) => files.filter((path) => path !== gone)
      const bad = withLog(history, log?.table ?? '', (snapshots) =>
        snapshots.map((s, i) => (i < index ? s : withFiles(s, drop(s.files)))),
      )
      expect(checkHistory(bad)).not.toEqual([])
    }),
  )
})
