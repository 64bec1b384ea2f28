import type { CatalogStore } from '../../src/catalog/catalog-store.ts'
import type { MutationOptions } from '../../src/catalog/replay-store.ts'
import { appendTo, create, newTable, replayOf, stateOf, viewOf } from './catalog-samples.ts'

export function describeReplays(store: () => CatalogStore): void {
  const planets = stateOf('planets')
  const { tableUuid } = planets.definition
  const bright = viewOf('bright')
  /** Each takes effect when it comes after those before it, and answers its last word when it comes again. */
  const mutations: readonly [string, (options: MutationOptions) => Promise<unknown>, unknown][] = [
    [
      'createNamespace',
      (options) => store().createNamespace({ levels: ['sky'], properties: {} }, options),
      'already-exists',
    ],
    ['createTable', (options) => store().createTable(newTable(planets), options), 'already-exists'],
    [
      'commit',
      (options) => store().commit({ tables: [appendTo(planets, 1n)], transactions: [] }, options),
      { outcome: 'version-mismatch', tableUuid },
    ],
    ['dropTable', (options) => store().dropTable(tableUuid, options), 'not-found'],
    ['createView', (options) => store().createView(bright, options), 'view-exists'],
    [
      'replaceView',
      (options) => {
        const change = { expectedVersion: 0, state: { ...bright, version: 1 } }
        return store().replaceView(change, options)
      },
      'version-mismatch',
    ],
    ['dropView', (options) => store().dropView(bright.viewUuid, options), 'not-found'],
    ['dropNamespace', (options) => store().dropNamespace(['sky'], options), 'not-found'],
    [
      'updateNamespaceProperties',
      (options) =>
        store().updateNamespaceProperties(
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
        expect(await store().findReplay(replay.key)).toStrictEqual(replay)
        const second = replayOf(`${name} second`)
        expect(await mutate({ replay: second })).toEqual(refused)
        expect(await store().findReplay(second.key)).toBeUndefined()
      }
    })

    test('an update of properties keeps its answer, too, unless there is no namespace', async () => {
      const [, update, refused] = mutations.at(-1) ?? []
      const replay = replayOf('update')
      expect(await update?.({ replay })).toEqual(refused)
      expect(await store().findReplay('update')).toBeUndefined()
      await store().createNamespace({ levels: ['sky'], properties: {} })
      expect(await update?.({ replay })).toEqual({ before: {}, after: { a: 'b' } })
      expect(await store().findReplay('update')).toStrictEqual(replay)
    })

    test('a key that is there changes nothing, and says when to try again', async () => {
      const state = await create(store(), 'moons')
      await store().createView(viewOf('faint'))
      await store().rememberReplay(replayOf('key'))
      const commit = { tables: [appendTo(state, 1n)], transactions: [] }
      const options = { replay: replayOf('key', { status: 204 }) }
      const { tableUuid: moonsUuid } = state.definition
      const attempts: (() => Promise<unknown>)[] = [
        ...mutations.map(
          ([, mutate]) =>
            () =>
              mutate(options),
        ),
        () => store().commit(commit, options),
        () => store().dropTable(moonsUuid, options),
      ]
      for (const attempt of attempts) {
        await expect(attempt()).rejects.toMatchObject({
          code: 'overloaded',
          facts: { retryAfterSeconds: 1 },
        })
      }
      expect(await store().findTable({ tableUuid: moonsUuid })).toStrictEqual(state)
      expect(await store().listTables({ limit: 9 })).toHaveLength(1)
      expect(await store().listViews({ namespace: ['sky'], limit: 9 })).toHaveLength(1)
      expect(await store().findReplay('key')).toStrictEqual(replayOf('key'))
    })

    test('of many requests with one key at once, one takes effect', async () => {
      const names = Array.from({ length: 8 }, (_, index) => `t${index}`)
      const outcomes = await Promise.all(
        names.map((name) =>
          store()
            .createTable(newTable(stateOf(name)), { replay: replayOf('key', { body: name }) })
            .catch((error: { code?: string }) => error.code),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'overloaded')).toHaveLength(7)
      const [table] = await store().listTables({ limit: 9 })
      expect(outcomes[names.indexOf(table?.name ?? '')]).toBe('created')
      expect((await store().findReplay('key'))?.body).toBe(table?.name)
    })

    test('a commit that fails keeps no answer', async () => {
      const state = await create(store(), 'planets')
      await create(store(), 'moons')
      const commit = appendTo(state, 1n)
      const rename = { ...commit, state: { ...commit.state, name: 'moons' } }
      const options = { replay: replayOf('key') }
      const attempt = store().commit({ tables: [rename], transactions: [] }, options)
      await expect(attempt).rejects.toMatchObject({ code: 'table-already-exists' })
      expect(await store().findReplay('key')).toBeUndefined()
    })

    test('a remembered refusal is found, letter for letter, and the first one stays', async () => {
      const refusal = replayOf('key', { status: 409, body: '{"a":"\u0000\ud800"}' })
      await store().rememberReplay(refusal)
      await store().rememberReplay(replayOf('key', { status: 200 }))
      expect(await store().findReplay('key')).toStrictEqual(refusal)
      expect(await store().findReplay('KEY')).toBeUndefined()
    })

    test('answers that expired before an instant are forgotten', async () => {
      for (const [index, expiresAtMs] of [1_999, 2_000, 10].entries()) {
        await store().rememberReplay(replayOf(`${index}`, { expiresAtMs }))
      }
      expect(await store().forgetReplays(2_000)).toBe(2)
      expect(await store().forgetReplays(2_000)).toBe(0)
      expect(await store().findReplay('0')).toBeUndefined()
      expect(await store().findReplay('1')).toBeDefined()
    })
  })
}
