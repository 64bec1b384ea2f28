import { listModules } from '../../../src/modules.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'

const DAY_MS = 24 * 3600 * 1000

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

async function runTask(name: string): Promise<void> {
  const tasks = listModules(shop.deps).flatMap((module) => module.tasks ?? [])
  const task = tasks.find((each) => each.name === name)
  if (task === undefined) throw new Error(`no task is called ${name}`)
  await task.run(new AbortController().signal)
}

test('leases that ended two days ago are forgotten', async () => {
  const { leases } = shop.deps.catalog
  const lease = { name: 'dump', owner: 'ada', nowMs: START_MS - 2 * DAY_MS, durationMs: 10_000 }
  const acquired = await leases.acquire(lease)
  if (acquired.outcome !== 'acquired') throw new Error('the lease is held')
  await runTask('forget leases')
  const { fencingToken } = acquired
  expect(await leases.renew({ ...lease, fencingToken })).toBe('lost')
})

test('answers that expired are forgotten, younger ones stay', async () => {
  const { replays } = shop.deps.catalog
  const answer = {
    nowMs: START_MS,
    principal: '',
    requestHash: 'a94a8fe5',
    status: 200,
    bodyHash: null,
    body: '{}',
  }
  await replays.remember({ ...answer, key: 'old', expiresAtMs: START_MS - 1 })
  await replays.remember({ ...answer, key: 'young', expiresAtMs: START_MS + DAY_MS })
  await runTask('forget replays')
  expect(await replays.find({ principal: '', key: 'old' })).toBeUndefined()
  expect(await replays.find({ principal: '', key: 'young' })).toBeDefined()
})
