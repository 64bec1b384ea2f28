import fc from 'fast-check'
import type { SnapshotLogEntry } from '../../../src/core/table/snapshot.ts'
import { nextTimestampMs, snapshotAsAt } from '../../../src/core/table/snapshot-log.ts'

const logs = fc
  .array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 })
  .map((times) => times.sort((a, b) => a - b))
  .map((times): SnapshotLogEntry[] => {
    return times.map((timestampMs, i) => ({ timestampMs, snapshotId: BigInt(i) }))
  })

describe('snapshotAsAt', () => {
  test('it returns what a scan of the whole log would', () => {
    fc.assert(
      fc.property(logs, fc.integer({ min: -2, max: 52 }), (log, asAtMs) => {
        const scan = log.filter((entry) => entry.timestampMs <= asAtMs).at(-1)
        expect(snapshotAsAt(log, asAtMs)).toBe(scan)
      }),
      { numRuns: 500 },
    )
  })

  test('the instant of a snapshot belongs to it, the millisecond before does not', () => {
    const log = [{ timestampMs: 10, snapshotId: 1n }]
    expect(snapshotAsAt(log, 10)).toBe(log[0])
    expect(snapshotAsAt(log, 9)).toBeUndefined()
    expect(snapshotAsAt([], 9)).toBeUndefined()
  })
})

test('a table’s times rise strictly, whatever the clock does', () => {
  const clocks = fc.array(fc.integer({ min: -1_000, max: 1_000 }))
  fc.assert(
    fc.property(clocks, (readings) => {
      let lastMs = 0
      for (const nowMs of readings) {
        const nextMs = nextTimestampMs(nowMs, lastMs)
        expect(nextMs).toBeGreaterThan(lastMs)
        expect(nextMs).toBe(nowMs > lastMs ? nowMs : lastMs + 1)
        lastMs = nextMs
      }
    }),
  )
})
