import { jest } from '@jest/globals'
import { ComputerClock } from '../../../src/catalog/clock/computer-clock.ts'

let aheadMs: number
let told: string[]
let clock: ComputerClock

beforeEach(() => {
  aheadMs = 0
  told = []
  const now = Date.now.bind(Date)
  jest.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs)
  clock = new ComputerClock({ warn: (_facts, message) => told.push(message) })
})
afterEach(() => {
  clock.close()
  jest.restoreAllMocks()
})

test('the time is that of the computer, and nothing is told while it just runs', () => {
  for (let n = 0; n < 100; n++) expect(clock.nowMs()).toBeLessThanOrEqual(Date.now())
  aheadMs = 500
  clock.nowMs()
  expect(told).toEqual([])
})

test.each([
  [3_600_000, 'went ahead by 3600 s, or it slept'],
  [-3_600_000, 'went back by 3600 s: tables that were changed before'],
])('a jump by %d ms is told once, and followed', (jumpMs, words) => {
  aheadMs = jumpMs
  for (let n = 0; n < 3; n++) expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1_000)
  expect(told).toEqual([expect.stringContaining(words)])
  aheadMs = 0
  clock.nowMs()
  expect(told).toHaveLength(2)
})
