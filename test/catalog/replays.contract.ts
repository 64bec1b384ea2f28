import type { Catalog } from '../../src/catalog/catalog.ts'
import type { MutationOptions } from '../../src/catalog/replay-store.ts'
import { appendTo, create, newTable, replayOf, stateOf, viewOf } from './catalog-samples.ts'

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
        expect(await catalog().replays.find(replay.key)).toStrictEqual(replay)
        const second = replayOf(`${name} second`)
        expect(await mutate({ replay: second })).toEqual(refused)
        expect(await catalog().replays.find(second.key)).toBeUndefined()
      }
    })

    test('an update of properties keeps its answer, unless there is no namespace', async () => {
      const [, update, refused] = mutations.at(-1) ?? []
      const replay = replayOf('update')
      expect(await update?.({ replay })).toEqual(refused)
      expect(await catalog().replays.find('update')).toBeUndefined()
      await catalog().namespaces.create({ levels: ['sky'], properties: {} })
      expect(await update?.({ replay })).toEqual({ before: {}, after: { a: 'b' } })
      expect(await catalog().replays.find('update')).toStrictEqual(replay)
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
          code: 'overloaded',
          facts: { retryAfterSeconds: 1 },
        })
      }
      expect(await catalog().tables.find({ tableUuid: moonsUuid })).toStrictEqual(state)
      expect(await catalog().tables.list({ limit: 9 })).toHaveLength(1)
      expect(await catalog().views.list({ namespace: ['sky'], limit: 9 })).toHaveLength(1)
      expect(await catalog().replays.find('key')).toStrictEqual(replayOf('key'))
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
      expect(outcomes.filter((outcome) => outcome === 'overloaded')).toHaveLength(7)
      const [table] = await catalog().tables.list({ limit: 9 })
      expect(outcomes[names.indexOf(table?.name ?? '')]).toBe('created')
      expect((await catalog().replays.find('key'))?.body).toBe(table?.name)
    })

    test('a commit that fails keeps no answer', async () => {
      const state = await create(catalog(), 'planets')
      await create(catalog(), 'moons')
      const commit = appendTo(state, 1n)
      const rename = { ...commit, state: { ...commit.state, name: 'moons' } }
      const options = { replay: replayOf('key') }
      const attempt = catalog().tables.commit({ tables: [rename], transactions: [] }, options)
      await expect(attempt).rejects.toMatchObject({ code: 'table-already-exists' })
      expect(await catalog().replays.find('key')).toBeUndefined()
    })

    test('a remembered refusal is found, letter for letter, and the first one stays', async () => {
      const refusal = replayOf('key', { status: 409, body: '{"a":"\u0000\ud800"}' })
      await catalog().replays.remember(refusal)
      await catalog().replays.remember(replayOf('key', { status: 200 }))
      expect(await catalog().replays.find('key')).toStrictEqual(refusal)
      expect(await catalog().replays.find('KEY')).toBeUndefined()
    })

    test('answers that expired before an instant are forgotten', async () => {
      for (const [index, expiresAtMs] of [1_999, 2_000, 10].entries()) {
        await catalog().replays.remember(replayOf(`${index}`, { expiresAtMs }))
      }
      expect(await catalog().replays.forget(2_000)).toBe(2)
      expect(await catalog().replays.forget(2_000)).toBe(0)
      expect(await catalog().replays.find('0')).toBeUndefined()
      expect(await catalog().replays.find('1')).toBeDefined()
    })
  })
}
