import { randomUUID } from 'node:crypto'
import { openGcsLinks } from '../../../src/objects/gcs/gcs-links.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { describeObjectLinks } from '../object-links.contract.ts'
import { bytesOf, namesBelow } from '../object-store.contract.ts'
import { type FaultyFront, openFaultyFront } from '../stores/faulty-front.ts'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'fake-gcs-server', () => {
  let server: FakeGcsServer
  let front: FaultyFront
  beforeAll(async () => {
    server = await startFakeGcs()
    front = await openFaultyFront(server.endpoint)
  }, 60_000)
  afterAll(async () => {
    await front.close()
    await server.stop()
  })

  const openAt = (folder: string) => {
    const { bucket, keyFile } = server
    const root = `gs://${bucket}/${folder}/warehouse`
    const options = {
      ...{ writableRoots: [root], readableRoots: [], endpoint: front.endpoint },
      ...{ readKeyFile: keyFile, writeKeyFile: keyFile },
    }
    const store = openGcsStore({ ...options, openFile: openLocalFile })
    const links = openGcsLinks(options)
    const close = async () => {
      links.close()
      await store.close()
    }
    return { store, links, root, outside: `gs://${bucket}/${folder}/elsewhere`, close }
  }

  describeObjectLinks(
    'of Google Cloud Storage, on fake-gcs-server',
    async () => openAt(randomUUID()),
    { checksVersions: true },
  )

  test('what is joined on the way is known as the own, should the answer be lost', async () => {
    const { store, links, root, close } = openAt(randomUUID())
    const parts = []
    for (let i = 0; i < 40; i++) {
      const location = `${root}/parts/${i}`
      await store.putIfAbsent(location, bytesOf('a'))
      parts.push({ location, offset: 0, lengthBytes: 1 })
    }
    const isBetween = ({ path }: { readonly path: string }) =>
      path.includes('.joining-') && path.includes('/compose')
    front.fail(isBetween, { kind: 'lost-answer' })
    const { signal } = new AbortController()
    const options = { signal, confirm: async () => undefined }
    expect(await links.join(parts, `${root}/whole`, options)).toBe('written')
    await close()
  })

  test('joins any number of objects in trees of 32, and leaves nothing between', async () => {
    const { store, links, root, close } = openAt(randomUUID())
    const texts = Array.from({ length: 1_100 }, (_, i) => `${i}\n`)
    const parts = []
    for (const [i, text] of texts.entries()) {
      const location = `${root}/parts/${i}`
      await store.putIfAbsent(location, bytesOf(text))
      parts.push({ location, offset: 0, lengthBytes: text.length })
    }
    front.seen.length = 0
    const { signal } = new AbortController()
    const confirm = async () => undefined
    expect(await links.join(parts, `${root}/whole`, { signal, confirm })).toBe('written')
    const read = await store.read(`${root}/whole`, { bytesMax: 99_999 })
    expect(Buffer.from(read).toString()).toBe(texts.join(''))
    // 35 groups of 32, two groups of those, and the whole.
    expect(front.seen.filter((each) => each.path.includes('/compose'))).toHaveLength(35 + 2 + 1)
    expect(await namesBelow(store, root)).toHaveLength(1_101)
    await close()
  }, 60_000)
})
