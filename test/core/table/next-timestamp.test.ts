import { nextTimestampMs } from '../../../src/core/table/snapshot-log.ts'

test.each([
  [2_000, 1_000, 2_000],
  [1_001, 1_000, 1_001],
  // The clock stands, or is behind: a millisecond after the last change.
  [1_000, 1_000, 1_001],
  [500, 1_000, 1_001],
  [0, 3_600_000, 3_600_001],
])('at %d, after a change of %d, the next one is of %d', (nowMs, lastUpdatedMs, expected) => {
  expect(nextTimestampMs(nowMs, lastUpdatedMs)).toBe(expected)
})
