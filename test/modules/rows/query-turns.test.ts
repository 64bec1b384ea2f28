import { askerOf } from '../../../src/modules/rows/limits/query-limits.ts'
import { eventually } from '../dumps/http/dump-lab.ts'
import { callOf, clock, DAY_MS, held, limitsOf, refusal } from './limits-lab.ts'

test('queries and jobs of a caller have their turns in the order in which they came', async () => {
  const limits = limitsOf({ running: 1, queued: 9, bytesPerDay: 0 })
  const job = (key: string) => ({ key, asker: 'key:a', costBytes: 0 })
  const works = [held(), held(), held(), held()]
  const [first, second, third, fourth] = works.map((each) => {
    return () => limits.inTurn(callOf('key:a'), 0, each.work)
  }) as (() => Promise<unknown>)[]
  const asked = [first?.()]
  await new Promise(setImmediate)
  expect(await limits.ifRoom(job('j'), async () => 1)).toBeUndefined()
  asked.push(second?.())
  await new Promise(setImmediate)
  expect(await limits.ifRoom(job('j'), async () => 1)).toBeUndefined()
  expect(await limits.ifRoom(job('k'), async () => 1)).toBeUndefined()
  asked.push(third?.(), fourth?.())
  works[0]?.end()
  await asked[0]
  await new Promise(setImmediate)
  const begun = () => works.map((each) => each.begun())
  expect(begun()).toEqual([1, 0, 0, 0])
  // Its place is kept for it, and for no other job.
  expect(await limits.ifRoom(job('k'), async () => 1)).toBeUndefined()
  expect(await limits.ifRoom(job('j'), async () => 1)).toEqual({ value: 1 })
  await new Promise(setImmediate)
  expect(begun()).toEqual([1, 1, 0, 0])
  works[1]?.end()
  await asked[1]
  // Job k does not come again, as one that another process has done: its place is passed on.
  await eventually(() => begun()[2] === 1)
  for (const { end } of works) end()
  await Promise.all(asked)
})

test('what is reserved for a job that ran elsewhere, or was cancelled, is free again', async () => {
  const limits = limitsOf({ running: 1, queued: 1, bytesPerDay: 100 })
  let isOpen = true
  limits.reserve({ key: 'k', asker: 'key:a', costBytes: 60 }, async () => isOpen)
  const ask = () => limits.inTurn(callOf('key:a'), 50, async (onRead) => onRead(1))
  await expect(ask()).rejects.toMatchObject(refusal)
  isOpen = false
  expect((await ask()).headers['RateLimit']).toContain('"bytes";r=99;')
})

test('what was reserved yesterday is charged today, when it is read', async () => {
  const limits = limitsOf({ running: 1, queued: 1, bytesPerDay: 100 })
  const job = { key: 'k', asker: 'key:a', costBytes: 60 }
  limits.reserve(job, async () => true)
  clock.nowMs += DAY_MS
  await limits.ifRoom(job, async (onRead) => onRead(40))
  const none = async () => undefined
  const { headers } = await limits.inTurn(callOf('key:a'), 0, none)
  expect(headers['RateLimit']).toContain('"bytes";r=60;')
})

test('texts that are parsed count, and wait for one another but for no query', async () => {
  const limits = limitsOf({ running: 1, queued: 1, bytesPerDay: 0 })
  const [query, text] = [held(), held()]
  const running = limits.inTurn(callOf('key:a'), 0, query.work)
  const parsing = limits.prepare(callOf('key:a'), text.work)
  await new Promise(setImmediate)
  expect(text.begun()).toBe(1)
  await expect(limits.prepare(callOf('key:a'), text.work)).rejects.toMatchObject(refusal)
  query.end()
  await running
  const next = held()
  const waiting = limits.prepare(callOf('key:a'), next.work)
  await new Promise(setImmediate)
  expect(next.begun()).toBe(0)
  text.end()
  next.end()
  await Promise.all([parsing, waiting])
  expect(next.begun()).toBe(1)
})

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5::', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['64:ff9b::10.1.2.3', '64:ff9b:0:0::/64'],
  ['', ''],
])('of callers without a name, %s is the network %s', (clientAddress, network) => {
  const { request, ...call } = callOf('10.1.1.1')
  const asker = askerOf({ ...call, request: { ...request, clientAddress } as typeof request })
  expect(asker).toBe(`address:${network}`)
})
