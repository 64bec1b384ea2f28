import { randomUUID } from 'node:crypto'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Links } from '../../../src/objects/s3/s3-links.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { describeObjectLinks } from '../object-links.contract.ts'
import { openFaultyFront } from '../stores/faulty-front.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const WISH = { method: 'GET', expiresInSeconds: 60, contentDisposition: 'inline' } as const

for (const name of ['weed', 'versitygw'] as const) {
  const why = whyNoStore(name)
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? name, () => {
    let server: S3Server
    beforeAll(async () => {
      server = await startS3(name)
    }, 60_000)
    afterAll(() => server.stop())
    const afterThis: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const end of afterThis.splice(0)) await end()
    })

    const openAt = (folder: string, endpoint: string) => {
      const { region, readCredentials, writeCredentials } = server
      const options = {
        ...{ writableRoots: [`${folder}/warehouse`], readableRoots: [`${folder}/read-only`] },
        ...{ endpoint, region, forcePathStyle: true, readCredentials, writeCredentials },
      }
      const store = openS3Store({ ...options, openFile: openLocalFile })
      const links = openS3Links({ ...options, publicEndpoint: undefined })
      const close = async () => {
        links.close()
        await store.close()
      }
      return { store, links, root: `${folder}/warehouse`, close }
    }

    describeObjectLinks(
      `of S3, on ${name}`,
      async () => {
        const folder = `s3://${server.bucket}/${randomUUID()}`
        return { ...openAt(folder, server.endpoint), outside: `${folder}/elsewhere` }
      },
      { checksVersions: name === 'versitygw' },
    )

    test('only the writing credential signs, and only the reading one looks', async () => {
      const front = await openFaultyFront(server.endpoint)
      afterThis.push(() => front.close())
      const { store, links, root, close } = openAt(
        `s3://${server.bucket}/${randomUUID()}`,
        front.endpoint,
      )
      const { accessKeyId: reader } = server.readCredentials
      const { accessKeyId: writer } = server.writeCredentials
      const wish = { ...WISH, contentType: 'text/css' }
      const url = new URL(await links.signedUrl(`${root}/a`, wish))
      expect(front.seen).toEqual([])
      expect(url.searchParams.get('X-Amz-Credential')).toMatch(new RegExp(`^${writer}/`))
      await store.putIfAbsent(`${root}/a`, new Uint8Array(11 * 1024 * 1024))
      await store.putIfAbsent(`${root}/b`, new Uint8Array(1))
      front.seen.length = 0
      const parts = [
        { location: `${root}/b`, offset: 0, lengthBytes: 1 },
        { location: `${root}/a`, offset: 0, lengthBytes: 11 * 1024 * 1024 },
      ]
      const confirm = async () => undefined
      const { signal } = new AbortController()
      expect(await links.join(parts, `${root}/c`, { signal, confirm })).toBe('written')
      const keysOf = (...methods: string[]) =>
        new Set(front.seen.filter(({ method }) => methods.includes(method)).map((s) => s.accessKey))
      expect(keysOf('GET', 'HEAD')).toEqual(new Set([reader]))
      expect(keysOf('PUT', 'POST')).toEqual(new Set([writer]))
      await close()
    })

    test('a link has the address that clients know the store by', async () => {
      const { region, writeCredentials } = server
      const links = openS3Links({
        ...{ writableRoots: [`s3://${server.bucket}`], readableRoots: [], region },
        ...{ endpoint: 'http://store.internal:9000', forcePathStyle: true },
        ...{ readCredentials: undefined, writeCredentials, publicEndpoint: server.endpoint },
      })
      const wish = { ...WISH, contentType: 'text/css' }
      const url = await links.signedUrl(`s3://${server.bucket}/a`, wish)
      expect(new URL(url).origin).toBe(server.endpoint)
      expect((await fetch(url)).status).toBe(404)
      links.close()
    })
  })
}
