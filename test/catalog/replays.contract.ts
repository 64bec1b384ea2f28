import type { Catalog } from '../../src/catalog/catalog.ts'
import type { MutationOptions } from '../../src/catalog/replay-store.ts'
import { mapBounded } from '../../src/core/bounded.ts'
import {
  appendTo,
  committed,
  create,
  idOf,
  newTable,
  openTransaction,
  recordOf,
  replayOf,
  stagedFileOf,
  stateOf,
  viewOf,
} from './catalog-samples.ts'

export function describeReplays(catalog: () => Catalog): void {
  const planets = stateOf('planets')
  const { tableUuid } = planets.definition
  const bright = viewOf('bright')
  /**
   * Each takes effect when it comes after those before it, and answers its last word when it comes
   * again.
   */
  const mutations: readonly [string, (options: MutationOptions) => Promise<unknown>, unknown][] = [
    [
      'createNamespace',
      (options) => catalog().namespaces.create({ levels: ['sky'], properties: {} }, options),
      'already-exists',
    ],
    [
      'createTable',
      (options) => catalog().tables.create(newTable(planets), options),
      'already-exists',
    ],
    [
      'commit',
      (options) =>
        catalog().tables.commit({ tables: [appendTo(planets, 1n)], transactions: [] }, options),
      { outcome: 'version-mismatch', tableUuid },
    ],
    [
      'dropTable',
      (options) => catalog().tables.drop({ tableUuid, expectedVersion: 1 }, options),
      'not-found',
    ],
    ['createView', (options) => catalog().views.create(bright, options), 'view-exists'],
    [
      'replaceView',
      (options) => {
        const change = { expectedVersion: 0, state: { ...bright, version: 1 } }
        return catalog().views.replace(change, options)
      },
      'version-mismatch',
    ],
    ['dropView', (options) => catalog().views.drop(bright.viewUuid, options), 'not-found'],
    ['dropNamespace', (options) => catalog().namespaces.drop(['sky'], options), 'not-found'],
    [
      'updateNamespaceProperties',
      (options) =>
        catalog().namespaces.updateProperties(
          { levels: ['sky'], updates: { a: 'b' }, removals: [] },
          options,
        ),
      'not-found',
    ],
  ]

  describe('replays', () => {
    test('every mutation keeps its answer if it changes something, and only then', async () => {
      for (const [name, mutate, refused] of mutations) {
        // The namespace is gone by now, which is the refusal of the last one.
        if (name === 'updateNamespaceProperties') continue
        const replay = replayOf(`${name} first`)
        expect(await mutate({ replay })).not.toEqual(refused)
        expect(await catalog().replays.find(replay)).toStrictEqual(recordOf(replay))
        const second = replayOf(`${name} second`)
        expect(await mutate({ replay: second })).toEqual(refused)
        expect(await catalog().replays.find(second)).toBeUndefined()
      }
    })

    test('an update of properties keeps its answer, unless there is no namespace', async () => {
      const [, update, refused] = mutations.at(-1) ?? []
      const replay = replayOf('update')
      expect(await update?.({ replay })).toEqual(refused)
      expect(await catalog().replays.find(idOf('update'))).toBeUndefined()
      await catalog().namespaces.create({ levels: ['sky'], properties: {} })
      expect(await update?.({ replay })).toEqual({ before: {}, after: { a: 'b' } })
      expect(await catalog().replays.find(idOf('update'))).toStrictEqual(recordOf(replay))
    })

    test('each step of a transaction keeps its answer if it changes something', async () => {
      const state = await create(catalog(), 'moons')
      const { tableUuid: moonsUuid } = state.definition
      const transaction = openTransaction()
      const { transactionId } = transaction
      const staging = {
        ...{ transactionId, tableUuid: moonsUuid, currentSnapshotId: null, addedFilesMax: 9 },
        addedFiles: [stagedFileOf('file:///a.parquet')],
      }
      const kept = async (key: string) => (await catalog().replays.find(idOf(key))) !== undefined
      const { transactions } = catalog()
      await transactions.start(transaction, { replay: replayOf('start') })
      await transactions.stage(staging, { replay: replayOf('stage') })
      expect(await transactions.stage(staging, { replay: replayOf('twice') })).toMatchObject({
        outcome: 'duplicate',
      })
      const abort = (key: string) => transactions.abort(transactionId, 9, { replay: replayOf(key) })
      expect(await abort('abort')).toBe('aborted')
      expect(await abort('again')).toBe('not-open')
      const keys = ['start', 'stage', 'twice', 'abort', 'again']
      expect(await Promise.all(keys.map(kept))).toEqual([true, true, false, true, false])
    })

    test('a commit keeps the answer of each transaction, or is refused for one', async () => {
      const state = await create(catalog(), 'moons')
      const moonsUuid = state.definition.tableUuid
      const pending = (key: string) => ({
        transaction: committed(openTransaction(), moonsUuid),
        ...{ isNew: true, replay: replayOf(key) },
      })
      const [one, two] = [pending('one'), pending('two')]
      const commit = { tables: [appendTo(state, 1n)], transactions: [one, two] }
      await catalog().replays.remember(replayOf('two', { status: 404 }))
      expect(await catalog().tables.commit(commit)).toEqual({
        ...{ outcome: 'key-taken', transactionId: two.transaction.transactionId, key: 'two' },
      })
      expect(await catalog().replays.find(idOf('one'))).toBeUndefined()
      expect(await catalog().tables.commit({ ...commit, transactions: [one] })).toEqual({
        outcome: 'committed',
      })
      expect(await catalog().replays.find(idOf('one'))).toStrictEqual(recordOf(one.replay))
    })

    test('a key that is there changes nothing, and says when to try again', async () => {
      const state = await create(catalog(), 'moons')
      await catalog().views.create(viewOf('faint'))
      await catalog().replays.remember(replayOf('key'))
      const commit = { tables: [appendTo(state, 1n)], transactions: [] }
      const options = { replay: replayOf('key', { status: 204 }) }
      const { tableUuid: moonsUuid } = state.definition
      const attempts: (() => Promise<unknown>)[] = [
        ...mutations.map(
          ([, mutate]) =>
            () =>
              mutate(options),
        ),
        () => catalog().tables.commit(commit, options),
        () => catalog().tables.drop({ tableUuid: moonsUuid, expectedVersion: 0 }, options),
      ]
      for (const attempt of attempts) {
        await expect(attempt()).rejects.toMatchObject({
          code: 'idempotency-key-in-use',
          facts: { retryAfterSeconds: 1 },
        })
      }
      expect(await catalog().tables.find({ tableUuid: moonsUuid })).toStrictEqual(state)
      expect(await catalog().tables.list({ limit: 9 })).toHaveLength(1)
      expect(await catalog().views.list({ namespace: ['sky'], limit: 9 })).toHaveLength(1)
      expect(await catalog().replays.find(idOf('key'))).toStrictEqual(recordOf(replayOf('key')))
    })

    test('of many requests with one key at once, one takes effect', async () => {
      const names = Array.from({ length: 8 }, (_, index) => `t${index}`)
      const outcomes = await Promise.all(
        names.map((name) =>
          catalog()
            .tables.create(newTable(stateOf(name)), { replay: replayOf('key', { body: name }) })
            .catch((error: { code?: string }) => error.code),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'idempotency-key-in-use')).toHaveLength(7)
      const [table] = await catalog().tables.list({ limit: 9 })
      expect(outcomes[names.indexOf(table?.name ?? '')]).toBe('created')
      expect((await catalog().replays.find(idOf('key')))?.body).toBe(table?.name)
    })

    test('a commit that fails keeps no answer', async () => {
      const state = await create(catalog(), 'planets')
      await create(catalog(), 'moons')
      const commit = appendTo(state, 1n)
      const rename = { ...commit, state: { ...commit.state, name: 'moons' } }
      const options = { replay: replayOf('key') }
      const attempt = catalog().tables.commit({ tables: [rename], transactions: [] }, options)
      await expect(attempt).rejects.toMatchObject({ code: 'table-already-exists' })
      expect(await catalog().replays.find(idOf('key'))).toBeUndefined()
    })

    test('a remembered refusal is found, letter for letter, and the first one stays', async () => {
      const refusal = replayOf('key', { status: 409, body: '{"a":"\u0000\ud800"}' })
      await catalog().replays.remember(refusal)
      await catalog().replays.remember(replayOf('key', { status: 200 }))
      expect(await catalog().replays.find(idOf('key'))).toStrictEqual(recordOf(refusal))
      expect(await catalog().replays.find(idOf('KEY'))).toBeUndefined()
    })

    test('one key of two principals is two keys', async () => {
      const own = replayOf('key', { principal: 'ada' })
      await catalog().replays.remember(own)
      expect(await catalog().replays.find(idOf('key'))).toBeUndefined()
      await catalog().replays.remember(replayOf('key'))
      expect(await catalog().replays.find(own)).toStrictEqual(recordOf(own))
    })

    test('an amended answer takes the place of the first, of the same request only', async () => {
      const first = replayOf('key')
      await catalog().replays.amend(first)
      expect(await catalog().replays.find(first)).toBeUndefined()
      await catalog().replays.remember(first)
      await catalog().replays.amend({ ...first, requestHash: 'other', body: '{}' })
      expect((await catalog().replays.find(first))?.body).toBe(first.body)
      await catalog().replays.amend({ ...first, body: '{"a":1}' })
      expect(await catalog().replays.find(first)).toStrictEqual({
        ...recordOf(first),
        body: '{"a":1}',
      })
    })

    test('answers that expired before an instant are forgotten', async () => {
      for (const [index, expiresAtMs] of [1_999, 2_000, 10].entries()) {
        await catalog().replays.remember(replayOf(`${index}`, { expiresAtMs }))
      }
      expect(await catalog().replays.forget(2_000)).toBe(2)
      expect(await catalog().replays.forget(2_000)).toBe(0)
      expect(await catalog().replays.find(idOf('0'))).toBeUndefined()
      expect(await catalog().replays.find(idOf('1'))).toBeDefined()
    })

    test('many answers are forgotten a thousand at a time, with turns in between', async () => {
      const answers = Array.from({ length: 2_500 }, (_, i) => replayOf(`${i}`, { expiresAtMs: 10 }))
      // No more at once than a pool of connections serves in its time limit on a busy machine.
      await mapBounded(answers, 100, (answer) => catalog().replays.remember(answer))
      let isForgotten = false
      let turns = 0
      const count = () => {
        turns++
        if (!isForgotten) setImmediate(count)
      }
      setImmediate(count)
      expect(await catalog().replays.forget(2_000)).toBe(2_500)
      isForgotten = true
      expect(turns).toBeGreaterThan(2)
    })
  })
}

export function describeReservations(catalog: () => Catalog): void {
  const reservation = (owner: string, nowMs = 1_000) => ({
    ...idOf('key'),
    ...{ requestHash: 'hash', owner, nowMs, durationMs: 500 },
  })
  const planets = stateOf('planets')

  describe('reservations of keys', () => {
    test('a key is reserved by one at a time, and is no answer', async () => {
      expect(await catalog().replays.reserve(reservation('first'))).toEqual({ outcome: 'reserved' })
      const inUse = { outcome: 'in-use', requestHash: 'hash', expiresAtMs: 1_500 }
      expect(await catalog().replays.reserve(reservation('second', 1_499))).toEqual(inUse)
      expect(await catalog().replays.find(idOf('key'))).toBeUndefined()
    })

    test('of many at once, one gets the key', async () => {
      const owners = Array.from({ length: 8 }, (_, index) => `owner ${index}`)
      const outcomes = await Promise.all(
        owners.map((owner) => catalog().replays.reserve(reservation(owner))),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'reserved')).toHaveLength(1)
    })

    test('a renewed reservation lasts longer, and one that was taken is lost', async () => {
      await catalog().replays.reserve(reservation('first'))
      expect(await catalog().replays.renew(reservation('first', 1_400))).toBe('renewed')
      const early = await catalog().replays.reserve(reservation('second', 1_800))
      expect(early).toMatchObject({ outcome: 'in-use', expiresAtMs: 1_900 })
      expect(await catalog().replays.reserve(reservation('second', 1_900))).toEqual({
        outcome: 'reserved',
      })
      expect(await catalog().replays.renew(reservation('first', 1_900))).toBe('lost')
    })

    test('a released key is free, and nobody releases that of another', async () => {
      await catalog().replays.reserve(reservation('first'))
      await catalog().replays.release({ ...idOf('key'), owner: 'second' })
      expect(await catalog().replays.reserve(reservation('second'))).toMatchObject({
        outcome: 'in-use',
      })
      await catalog().replays.release({ ...idOf('key'), owner: 'first' })
      expect(await catalog().replays.reserve(reservation('second'))).toEqual({
        outcome: 'reserved',
      })
    })

    test('a change keeps its answer over its own reservation, which then answers', async () => {
      await catalog().replays.reserve(reservation('first'))
      const replay = replayOf('key', { reservedBy: 'first', nowMs: 1_100, bodyHash: 'body' })
      expect(await catalog().tables.create(newTable(planets), { replay })).toBe('created')
      const record = recordOf(replay)
      expect(await catalog().replays.find(replay)).toStrictEqual(record)
      expect(await catalog().replays.reserve(reservation('second', 9_000))).toStrictEqual({
        ...{ outcome: 'answered', record },
      })
      // Nothing frees an answered key.
      await catalog().replays.release({ ...idOf('key'), owner: 'first' })
      expect(await catalog().replays.find(replay)).toStrictEqual(record)
    })

    test('a change is refused under the reservation of another, until it expires', async () => {
      await catalog().replays.reserve(reservation('first'))
      const late = (nowMs: number) => replayOf('key', { reservedBy: 'second', nowMs })
      const attempt = catalog().tables.create(newTable(planets), { replay: late(1_499) })
      await expect(attempt).rejects.toMatchObject({ code: 'idempotency-key-in-use' })
      expect(await catalog().tables.list({ limit: 9 })).toEqual([])
      expect(await catalog().tables.create(newTable(planets), { replay: late(1_500) })).toBe(
        'created',
      )
    })
  })
}
