import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { startTestService, type TestService } from '../http/harness.ts'

/** Each sweeps what would otherwise only grow, or does what nobody asks for. */
const TASKS = [
  'delete shards of failed dumps',
  'delete unfinished files',
  'delete unused files',
  'end expired datasets',
  'end exports',
  'forget events',
  'forget holds',
  'forget jobs',
  'forget leases',
  'forget permissions on what is gone',
  'forget replays',
  'forget transactions',
  'forget usage',
  'forget what large tables left in the catalog',
  'key known paths',
  'look through folders of purged tables',
  'note namespaces',
  'note policies',
  'schedule exports',
  'seal the audit',
  'tell cancelled datasets',
  'tell of failing exports',
]

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('a service runs each of its tasks soon after its start', async () => {
  const database = new Sqlite(`${service.home}/catalog.db`, { readonly: true })
  const ticked = database.prepare('select name from task_ticks order by name').pluck()
  try {
    // All but a dropped one come; the time of this test is the bound.
    while (!TASKS.every((task) => ticked.all().includes(task))) await sleep(100)
    expect(ticked.all()).toEqual(TASKS)
  } finally {
    database.close()
  }
  expect(service.log.filter((line) => line['msg'] === 'a task failed')).toEqual([])
}, 180_000)
