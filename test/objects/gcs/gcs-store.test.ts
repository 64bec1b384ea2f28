import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { describeObjectStore } from '../object-store.contract.ts'
import { describeObjectVersions } from '../object-versions.contract.ts'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'fake-gcs-server', () => {
  let server: FakeGcsServer
  beforeAll(async () => {
    server = await startFakeGcs()
  }, 60_000)
  afterAll(() => server.stop())

  for (const describeStore of [describeObjectStore, describeObjectVersions])
    describeStore('of Google Cloud Storage, on fake-gcs-server', async () => {
      const { endpoint, bucket, keyFile } = server
      const folder = `gs://${bucket}/${randomUUID()}`
      const root = `${folder}/warehouse`
      const store = openGcsStore({
        ...{ writableRoots: [root], readableRoots: [`${folder}/read-only`], endpoint },
        ...{ readKeyFile: keyFile, writeKeyFile: keyFile },
        readFile: (path) => createReadStream(path),
      })
      return { store, root, outside: `${folder}/elsewhere`, close: () => store.close() }
    })
})
