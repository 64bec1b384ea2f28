import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { CatalogEvent } from '../../../src/catalog/event-store.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import type { Consumer } from '../../../src/lake/events/consumer.ts'
import { Consumers } from '../../../src/lake/events/consumers.ts'
import { EventFeed } from '../../../src/lake/events/event-feed.ts'
import { create } from '../../catalog/catalog-samples.ts'
import { realAmbient, until } from '../jobs/background.ts'

let catalog: Catalog
let replicas: { readonly consumers: Consumers; readonly feed: EventFeed }[] = []
const log = { warn: () => undefined }
beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  replicas = []
})
afterEach(async () => {
  for (const { consumers, feed } of replicas) {
    await consumers.close()
    await feed.close()
  }
  await catalog.close()
})

function start(consumer: Consumer): Consumers {
  const feed = new EventFeed({ catalog, log }, { pollMs: 5 })
  const deps = { catalog, ambient: realAmbient, log }
  const consumers = new Consumers(deps, { feed, consumers: [consumer] })
  replicas.push({ consumers, feed })
  consumers.start()
  return consumers
}

function consumerOf(
  handle: (batch: readonly CatalogEvent[]) => Promise<void> | void,
  scope: Consumer['scope'] = 'cluster',
): Consumer {
  const events = ['moraine.table.created.v1'] as const
  return { name: 'test', events, scope, handle: async (batch) => handle(batch) }
}

test('a consumer of the cluster gets its events in order, once among all replicas', async () => {
  const seen: string[] = []
  await create(catalog, 'first')
  const consumer = consumerOf((batch) => void seen.push(...batch.map(({ name }) => name)))
  start(consumer)
  start(consumer)
  await until(() => seen.length === 1)
  for (const name of ['second', 'third']) await create(catalog, name)
  await until(() => seen.length >= 3)
  await sleep(30)
  expect(seen).toEqual(['sky.first', 'sky.second', 'sky.third'])
})

test('another replica goes on where the first one stopped', async () => {
  const seen: string[] = []
  const consumer = consumerOf((batch) => void seen.push(...batch.map(({ name }) => name)))
  const first = start(consumer)
  await create(catalog, 'first')
  await until(() => seen.length === 1)
  await first.close()
  await create(catalog, 'second')
  start(consumer)
  await until(() => seen.length === 2)
  expect(seen).toEqual(['sky.first', 'sky.second'])
})

test('a batch that failed comes again, until it is done', async () => {
  const seen: string[] = []
  let failures = 0
  await create(catalog, 'first')
  start(
    consumerOf((batch) => {
      if (failures++ === 0) throw new Error('no luck')
      seen.push(...batch.map(({ name }) => name))
    }),
  )
  await until(() => seen.length > 0)
  expect(seen).toEqual(['sky.first'])
})

test('a consumer of each replica sees what happens from its start on', async () => {
  await create(catalog, 'before')
  const seen: string[][] = [[], []]
  for (const own of seen) {
    start(consumerOf((batch) => void own.push(...batch.map(({ name }) => name)), 'replica'))
  }
  // Its start is a look at the catalog, which has no end to wait for.
  await sleep(100)
  await create(catalog, 'after')
  await until(() => seen.every((own) => own.length > 0))
  expect(seen).toEqual([['sky.after'], ['sky.after']])
})

test('those who wait share one look at the catalog; nobody looks when nobody waits', async () => {
  let looks = 0
  const counted = {
    findRange: () => {
      looks++
      return catalog.events.findRange()
    },
  }
  const events = { events: counted } as unknown as Catalog
  const feed = new EventFeed({ catalog: events, log }, { pollMs: 10 })
  const { last } = await catalog.events.findRange()
  const { signal } = new AbortController()
  const waiting = Array.from({ length: 50 }, () => feed.waitPast(last, { waitMs: 60_000, signal }))
  await sleep(100)
  expect(looks).toBeLessThan(20)
  await create(catalog, 'planets')
  await Promise.all(waiting)
  await sleep(20)
  const before = looks
  await sleep(50)
  expect(looks).toBe(before)
  await feed.close()
})
