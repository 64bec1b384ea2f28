import { randomUUID } from 'node:crypto'
import { Storage } from '@google-cloud/storage'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { describeEmptySegments } from '../empty-segment.contract.ts'
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

  const open = async () => {
    const { endpoint, bucket, keyFile } = server
    const folder = `gs://${bucket}/${randomUUID()}`
    const root = `${folder}/warehouse`
    const store = openGcsStore({
      ...{ writableRoots: [root], readableRoots: [`${folder}/read-only`], endpoint },
      ...{ readKeyFile: keyFile, writeKeyFile: keyFile },
      openFile: openLocalFile,
    })
    return { store, root, outside: `${folder}/elsewhere`, close: () => store.close() }
  }
  for (const describeStore of [describeObjectStore, describeObjectVersions])
    describeStore('of Google Cloud Storage, on fake-gcs-server', open)

  const openRaw = async () => {
    const opened = await open()
    const storage = new Storage({
      ...{ apiEndpoint: server.endpoint, projectId: 'moraine', keyFilename: server.keyFile },
      useAuthWithCustomEndpoint: false,
    })
    const bucket = storage.bucket(server.bucket)
    return {
      ...{ ...opened, rootKey: opened.root.slice(`gs://${server.bucket}/`.length) },
      raw: {
        put: (key: string, text: string) => bucket.file(key).save(text, { resumable: false }),
        read: async (key: string) => `${(await bucket.file(key).download())[0]}`,
      },
    }
  }
  const name = 'of Google Cloud Storage, on fake-gcs-server'
  describeEmptySegments(name, { isOneObject: false, open: openRaw })
})
