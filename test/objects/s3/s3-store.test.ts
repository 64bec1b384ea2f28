import { randomUUID } from 'node:crypto'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { describeEmptySegments } from '../empty-segment.contract.ts'
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

    const open = async () => {
      const { endpoint, region, bucket, readCredentials, writeCredentials } = server
      const folder = `s3://${bucket}/${randomUUID()}`
      const root = `${folder}/warehouse`
      const store = openS3Store({
        ...{ writableRoots: [root], readableRoots: [`${folder}/read-only`] },
        ...{ endpoint, region, forcePathStyle: true, readCredentials, writeCredentials },
        openFile: openLocalFile,
      })
      return { store, root, outside: `${folder}/elsewhere`, close: () => store.close() }
    }
    for (const describeStore of [describeObjectStore, describeObjectVersions])
      describeStore(`of S3, on ${name}`, open)

    const openRaw = async () => {
      const opened = await open()
      const { endpoint, region, bucket: Bucket, writeCredentials: credentials } = server
      const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
      return {
        ...{ ...opened, rootKey: opened.root.slice(`s3://${Bucket}/`.length) },
        raw: {
          put: (Key: string, Body: string) =>
            client.send(new PutObjectCommand({ Bucket, Key, Body })),
          read: async (Key: string) => {
            const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
            return `${await Body?.transformToString()}`
          },
        },
        close: async () => {
          client.destroy()
          await opened.close()
        },
      }
    }
    // Both keep objects in folders of a file system, unlike AWS.
    describeEmptySegments(`of S3, on ${name}`, { isOneObject: true, open: openRaw })
  })
}
