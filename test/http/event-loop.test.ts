import { setTimeout as sleep } from 'node:timers/promises'
import { Metrics } from '../../src/http/metrics.ts'
import { watchEventLoop } from '../../src/http/serve/event-loop.ts'

function hold(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function gauge(text: string, name: string): number {
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
}

test('work that holds the event loop is reported with its length', async () => {
  const told: number[] = []
  const stop = watchEventLoop((seconds) => told.push(seconds))
  await sleep(20)
  hold(80)
  await sleep(20)
  stop()
  expect(told.length).toBeGreaterThan(1)
  // At least this long, however busy the machine is.
  expect(Math.max(...told)).toBeGreaterThanOrEqual(0.07)
  expect(Math.min(...told)).toBeGreaterThanOrEqual(0)
  const { length } = told
  await sleep(30)
  expect(told).toHaveLength(length)
})

test('the longest hold is reported once, the histogram keeps all', async () => {
  const metrics = new Metrics()
  for (const seconds of [0.001, 0.3, 0.02]) metrics.eventLoopHeld(seconds)
  const first = await metrics.text()
  expect(gauge(first, 'moraine_event_loop_held_max_seconds')).toBe(0.3)
  expect(gauge(first, 'moraine_event_loop_held_seconds_bucket\\{le="0.05"\\}')).toBe(2)
  const second = await metrics.text()
  expect(gauge(second, 'moraine_event_loop_held_max_seconds')).toBe(0)
  expect(gauge(second, 'moraine_event_loop_held_seconds_count')).toBe(3)
})
