import { randomUUID } from 'node:crypto'
import { openGcsLinks } from '../../../src/objects/gcs/gcs-links.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { refusal } from '../../refusal.ts'
import { describeObjectLinks } from '../object-links.contract.ts'
import { bytesOf, describeObjectStore, namesBelow } from '../object-store.contract.ts'
import { describeObjectVersions } from '../object-versions.contract.ts'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

/** Where the account that reads may not write, and the one that writes may not even read. */
describeHere(why ?? 'two accounts of Google Cloud Storage', () => {
  let server: FakeGcsServer
  beforeAll(async () => {
    server = await startFakeGcs({ checksTokens: true })
  }, 60_000)
  afterAll(() => server.stop())

  const open = async (keys: Partial<Record<'readKeyFile' | 'writeKeyFile', string>> = {}) => {
    const { endpoint, bucket, keyFile: writeKeyFile, readKeyFile } = server
    const folder = `gs://${bucket}/${randomUUID()}`
    const root = `${folder}/warehouse`
    const options = {
      ...{ writableRoots: [root], readableRoots: [`${folder}/read-only`], endpoint },
      ...{ sendsTokens: true, readKeyFile, writeKeyFile, ...keys },
    }
    const store = openGcsStore({ ...options, openFile: openLocalFile })
    const links = openGcsLinks(options)
    const close = async () => {
      links.close()
      await store.close()
    }
    return { store, links, root, outside: `${folder}/elsewhere`, close }
  }
  const name = 'of Google Cloud Storage, with tokens of two accounts'
  for (const describeStore of [describeObjectStore, describeObjectVersions]) {
    describeStore(name, () => open())
  }
  describeObjectLinks(name, () => open(), { checksVersions: true })

  test('the account that writes cannot read, and the one that reads cannot write', async () => {
    const { keyFile, readKeyFile } = server
    const right = await open()
    const wrong = await open({ readKeyFile: keyFile, writeKeyFile: readKeyFile })
    const location = `${right.root}/a`
    await right.store.putIfAbsent(location, bytesOf('x'))
    const { store, root } = wrong
    const refused: (() => Promise<unknown>)[] = [
      () => store.find(`${root}/a`),
      () => store.read(`${root}/a`, { bytesMax: 9 }),
      () => namesBelow(store, root),
      () => store.putIfAbsent(`${root}/a`, bytesOf('x')),
      () => store.putIfAbsent(`${root}/a`, new Uint8Array(9_000_000)),
      () => store.delete(`${root}/a`),
    ]
    for (const each of refused) {
      const { code, facts } = await refusal(each())
      expect([code, facts['fault']]).toEqual(['storage-misconfigured', 'rights-missing'])
    }
    await Promise.all([right.close(), wrong.close()])
  })

  test('who has no token, or one of nobody, is refused', async () => {
    const { endpoint, bucket } = server
    const object = `${endpoint}/storage/v1/b/${bucket}/o/a`
    const parts = ['{}', '{"iss":"nobody","exp":9999999999}', 'a signature']
    const nobody = parts.map((part) => Buffer.from(part).toString('base64url')).join('.')
    for (const authorization of [undefined, 'Bearer x', `Bearer ${nobody}`]) {
      const headers = authorization === undefined ? {} : { authorization }
      expect((await fetch(object, { headers })).status).toBe(401)
    }
  })
})
