import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { describeObjectStore } from '../object-store.contract.ts'
import { describeObjectVersions } from '../object-versions.contract.ts'
import { type S3Server, startS3 } from '../stores/s3-server.ts'
import { whyNoStore } from '../stores/store-program.ts'

for (const name of ['weed', 'versitygw'] as const) {
  const why = whyNoStore(name)
  const describeHere = why === undefined ? describe : describe.skip
  describeHere(why ?? name, () => {
    let server: S3Server
    beforeAll(async () => {
      server = await startS3(name)
    }, 60_000)
    afterAll(() => server.stop())

    for (const describeStore of [describeObjectStore, describeObjectVersions])
      describeStore(`of S3, on ${name}`, async () => {
        const { endpoint, region, bucket, readCredentials, writeCredentials } = server
        const folder = `s3://${bucket}/${randomUUID()}`
        const root = `${folder}/warehouse`
        const store = openS3Store({
          ...{ writableRoots: [root], readableRoots: [`${folder}/read-only`] },
          ...{ endpoint, region, forcePathStyle: true, readCredentials, writeCredentials },
          readFile: (path) => createReadStream(path),
        })
        return { store, root, outside: `${folder}/elsewhere`, close: () => store.close() }
      })
  })
}
