import {
  attemptsOn,
  expectCode,
  namesBelow,
  type OpenedStore,
  textOf,
} from './object-store.contract.ts'

/** A bucket as others write into it. */
export interface RawBucket {
  put(key: string, text: string): Promise<unknown>
  read(key: string): Promise<string>
}

export interface OpenedBucket extends OpenedStore {
  readonly raw: RawBucket
  /** Key of the writable folder. */
  readonly rootKey: string
}

/**
 * In a bucket of S3 and Google `a//b` is another object than `a/b`; compatible servers, file
 * systems and engines take the two for one. So locations with an empty segment are refused: else
 * the wrong object could be read or deleted. `isOneObject` says what this server does.
 */
export function describeEmptySegments(
  name: string,
  {
    isOneObject,
    open,
  }: { readonly isOneObject: boolean; readonly open: () => Promise<OpenedBucket> },
): void {
  describe(`keys with an empty segment ${name}`, () => {
    let opened: OpenedBucket
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    test('are refused by every operation, which touches neither object', async () => {
      const { store, root, rootKey, raw } = opened
      if (!isOneObject) await raw.put(`${rootKey}/a//b`, 'two slashes')
      await raw.put(`${rootKey}/a/b`, 'one slash')
      for (const attempt of attemptsOn(store, `${root}/a//b`)) {
        await expectCode(attempt, 'location-invalid')
      }
      expect(textOf(await store.read(`${root}/a/b`, { bytesMax: 99 }))).toBe('one slash')
      expect(await namesBelow(store, root)).toEqual([`${root}/a/b`])
      const there = await raw.read(`${rootKey}/a//b`)
      expect(there).toBe(isOneObject ? 'one slash' : 'two slashes')
    })

    test('so are those with a dot for a segment', async () => {
      const { store, root } = opened
      for (const attempt of attemptsOn(store, `${root}/a/./b`)) {
        await expectCode(attempt, 'location-invalid')
      }
    })

    const testApart = isOneObject ? test.skip : test
    testApart('stay when the one without is deleted', async () => {
      const { store, root, rootKey, raw } = opened
      await raw.put(`${rootKey}/a//b`, 'two slashes')
      await raw.put(`${rootKey}/a/b`, 'one slash')
      await store.delete(`${root}/a/b`)
      expect(await store.find(`${root}/a/b`)).toBeUndefined()
      expect(await raw.read(`${rootKey}/a//b`)).toBe('two slashes')
    })
  })
}
