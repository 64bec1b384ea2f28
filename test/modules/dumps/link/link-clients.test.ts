import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type BucketServer, openBucketServer } from '../../../objects/stores/bucket-server.ts'
import { type FaultyFront, openFaultyFront } from '../../../objects/stores/faulty-front.ts'
import { whyNoStore } from '../../../objects/stores/store-program.ts'
import { download, makeTable, rows, run, sha256, testWith } from '../http/dump-lab.ts'

const why = whyNoStore('versitygw')
const describeHere = why === undefined ? describe : describe.skip

/** Reads an address with a token, as `pandas.read_csv` does with `storage_options`. */
const URLLIB = `
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(a.split(': ') for a in sys.argv[2:]))
print(len(urllib.request.urlopen(request).read()))
`

describeHere(why ?? 'clients that follow the link of a dump', () => {
  let server: BucketServer
  let front: FaultyFront
  let service: TestService
  let folder: string
  /** Moving and permanent address, digest, and length. */
  let moving: string
  let pinned: string
  let digest: string
  let length: number
  beforeAll(async () => {
    server = await openBucketServer('versitygw')
    folder = await mkdtemp(join(tmpdir(), 'moraine-clients-'))
    const home = join(folder, 'home')
    const settings = server.settingsFor(home)
    front = await openFaultyFront(settings['MORAINE_S3_ENDPOINT'] ?? '')
    const environment = { ...settings, MORAINE_S3_ENDPOINT: front.endpoint }
    service = await startTestService({ home, environment })
    // Long enough for an upload in parts that the store copies.
    await makeTable(service, 't', [rows(400_000), rows(100_000, 400_000)])
    moving = `${service.url}/v1/tables/t/dump?format=csv`
    const { body } = await download(`${moving}&redirect=never`)
    digest = sha256(body)
    length = body.length
    const { status, headers } = await download(`${moving}&redirect=always`)
    expect(status).toBe(302)
    pinned = service.url + (/<(.*?)>/.exec(`${headers['link']}`)?.[1] ?? '')
  }, 60_000)
  afterAll(async () => {
    await service.close()
    await front.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    front.seen.length = 0
  })

  const path = (name: string) => join(folder, name)
  const requireWhole = async (file: string) => {
    expect((await stat(file)).size).toBe(length)
    expect(sha256(await readFile(file))).toBe(digest)
  }
  const byLink = () => front.seen.filter(({ path }) => path.includes('X-Amz-Signature'))

  test('the store has copied what it could by itself', async () => {
    expect(length).toBeGreaterThan(11 * 1024 * 1024)
  })

  test('curl -L downloads, names the file, and goes on where it was cut', async () => {
    expect((await run('curl', ['-sfLOJ', moving], { cwd: folder })).code).toBe(0)
    const head = await download(moving, { method: 'HEAD' })
    const name = /filename="(.*?)"/.exec(head.headers['content-disposition'] ?? '')?.[1] ?? ''
    await requireWhole(path(name))
    await truncate(path(name), 5_000_000)
    const resumed = await run('curl', ['-sfL', '-C', '-', '-o', path(name), pinned])
    expect(resumed.code).toBe(0)
    await requireWhole(path(name))
    expect(byLink()).toHaveLength(2)
  })

  testWith('wget')('wget goes on where it was cut', async () => {
    await writeFile(path('wget.csv'), (await download(`${moving}&redirect=never`)).body)
    await truncate(path('wget.csv'), 5_000_000)
    expect((await run('wget', ['-qc', '-O', path('wget.csv'), pinned])).code).toBe(0)
    await requireWhole(path('wget.csv'))
    expect(byLink()).toHaveLength(1)
  })

  testWith('aria2c')('aria2c splits the download', async () => {
    const split = ['-q', '-x4', '-s4', '-k1M', '-d', folder, '-o', 'aria2.csv', pinned]
    expect((await run('aria2c', split)).code).toBe(0)
    await requireWhole(path('aria2.csv'))
    expect(byLink().length).toBeGreaterThan(1)
  })

  testWith('python3')('a token that urllib hands on does not get to the store', async () => {
    const read = (url: string, ...headers: string[]) =>
      run('python3', ['-c', `${URLLIB.trim()}`, url, ...headers])
    const token = 'Authorization: Bearer secret'
    expect((await read(moving, token)).stdout.trim()).toBe(`${length}`)
    expect(byLink()).toHaveLength(0)
    // Which is why: AWS refuses a link with it.
    await read(`${moving}&redirect=always`, token)
    expect(byLink()).toMatchObject([{ authorization: 'Bearer secret' }])
  })

  testWith('wget')('nor does one that wget hands on', async () => {
    const get = (url: string) =>
      run('wget', ['-qO', path('token.csv'), '--header', 'Authorization: Bearer secret', url])
    expect((await get(moving)).code).toBe(0)
    await requireWhole(path('token.csv'))
    expect(byLink()).toHaveLength(0)
    await get(`${moving}&redirect=always`)
    expect(byLink()).toMatchObject([{ authorization: 'Bearer secret' }])
  })
})
