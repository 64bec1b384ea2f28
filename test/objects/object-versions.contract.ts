import type { ObjectStore } from '../../src/objects/object-store.ts'
import { bytesOf, expectCode, type OpenedStore, textOf } from './object-store.contract.ts'

/** What every object store promises of the versions of objects. */
export function describeObjectVersions(name: string, open: () => Promise<OpenedStore>): void {
  describe(`versions in the object store ${name}`, () => {
    let opened: OpenedStore
    let store: ObjectStore
    let root: string
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      root = opened.root
    })
    afterEach(() => opened.close())

    test('another object of the same name is told, and neither read nor deleted', async () => {
      const location = `${root}/replaced`
      await store.putIfAbsent(location, bytesOf('first'))
      const { version = '' } = (await store.find(location)) ?? {}
      expect(version).not.toBe('')
      const read = async (length: number) => {
        const chunks: Uint8Array[] = []
        const stream = store.readStream(location, 0, length, { version })
        for await (const chunk of stream) chunks.push(new Uint8Array(chunk))
        return textOf(Buffer.concat(chunks))
      }
      expect([await read(5), await read(0)]).toEqual(['first', ''])
      await store.delete(location)
      await store.putIfAbsent(location, bytesOf('other'))
      expect((await store.find(location))?.version).not.toBe(version)
      await expectCode(read(5), 'data-file-changed')
      await expectCode(read(0), 'data-file-changed')
      await expectCode(store.delete(location, { version }), 'data-file-changed')
      expect(textOf(await store.read(location, { bytesMax: 5 }))).toBe('other')
      await store.delete(location, { version: (await store.find(location))?.version })
      expect(await store.find(location)).toBeUndefined()
      await store.delete(location, { version })
      await expectCode(read(5), 'file-not-found')
    })

    test('versions are told the same by every way to look', async () => {
      const location = `${root}/looked/at`
      await store.putIfAbsent(location, bytesOf('12345'))
      const { version } = (await store.find(location)) ?? {}
      expect(await store.readTail(location, 3)).toMatchObject({ version })
      expect(await store.readTail(location, 0)).toMatchObject({ version })
      for await (const info of store.list(`${root}/looked`)) expect(info).toMatchObject({ version })
    })
  })
}
