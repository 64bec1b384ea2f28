import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { chunksOf, expectCode } from '../object-store.contract.ts'

const WRITABLE = 's3://lake/warehouse'
const READABLE = 's3://lake/read-only'

/** Nobody answers there: what is refused is refused before the store is asked. */
const store = openS3Store({
  ...{ writableRoots: [WRITABLE], readableRoots: [READABLE], forcePathStyle: true },
  ...{ endpoint: 'http://127.0.0.1:1', region: undefined },
  ...{ readCredentials: undefined, writeCredentials: undefined },
  openFile: openLocalFile,
})
afterAll(() => store.close())

const { signal } = new AbortController()
const file = `${READABLE}/a`
const sweep = { beforeMs: 0, signal }

test.each<[string, () => Promise<unknown>]>([
  ['put', () => store.putIfAbsent(file, new Uint8Array(1))],
  ['put in parts', () => store.putIfAbsent(file, new Uint8Array(9 * 1024 * 1024))],
  ['put as a stream', () => store.putStreamIfAbsent(file, chunksOf('x'), { bytesMax: 9 })],
  ['put from a file', () => store.putFileIfAbsent(file, import.meta.filename)],
  ['moved there', () => store.moveIfAbsent(`${WRITABLE}/a`, file)],
  ['moved away', () => store.moveIfAbsent(file, `${WRITABLE}/a`)],
  ['deleted', () => store.delete(file)],
  ['given up', () => store.deleteUnfinished(READABLE, sweep)],
  ['made a folder', () => store.makeFolder(`${READABLE}/folder`)],
  [
    'swept of folders',
    () => store.deleteEmptyFolders(READABLE, { ...sweep, isFree: async () => true }),
  ],
])('in a folder that may only be read, nothing is %s', async (_what, attempt) => {
  await expectCode(attempt(), 'location-not-allowed')
})

test('what may be written or read may be read', () => {
  store.requireReadable(file)
  store.requireReadable(`${WRITABLE}/a`)
})
