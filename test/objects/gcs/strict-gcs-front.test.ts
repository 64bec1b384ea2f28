import { randomUUID } from 'node:crypto'
import { type Bucket, Storage } from '@google-cloud/storage'
import { type FakeGcsServer, startFakeGcs } from '../stores/gcs-server.ts'
import { whyNoStore } from '../stores/store-program.ts'
import { openStrictGcsFront, type StrictGcsFront } from '../stores/strict-gcs-front.ts'

const why = whyNoStore('fake-gcs-server')
const describeHere = why === undefined ? describe : describe.skip

const HOUR_MS = 3_600_000

describeHere(why ?? 'the strict front of Google Cloud Storage', () => {
  let server: FakeGcsServer
  let later: StrictGcsFront
  let bucket: Bucket
  beforeAll(async () => {
    server = await startFakeGcs()
    const nowMs = () => Date.now() + 2 * HOUR_MS
    later = await openStrictGcsFront(server.endpoint, { keys: server.keys, nowMs })
    const storage = new Storage({
      ...{ apiEndpoint: server.endpoint, projectId: 'moraine', keyFilename: server.keyFile },
      ...{ useAuthWithCustomEndpoint: false, retryOptions: { autoRetry: false } },
    })
    bucket = storage.bucket(server.bucket)
  }, 60_000)
  afterAll(async () => {
    await later.close()
    await server.stop()
  })

  const newFile = (name: string = randomUUID()) => bucket.file(`front/${name}`)
  const put = async (text: string, ifGenerationMatch?: number | string, name?: string) => {
    const file = newFile(name)
    const preconditionOpts = ifGenerationMatch === undefined ? {} : { ifGenerationMatch }
    await file.save(text, { resumable: false, preconditionOpts })
    return file
  }
  const generationOf = async (file: ReturnType<typeof newFile>) => {
    const [{ generation }] = await file.getMetadata()
    return String(generation)
  }
  const statusOf = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: { code?: unknown; status?: unknown }) => error.code ?? error.status,
    )

  test('a signed link works for its life, for GET and HEAD, and names the file', async () => {
    const file = await put('signed', 0, `ä b'(c)*!/${randomUUID()}.csv`)
    const [link] = await file.getSignedUrl({
      ...{ version: 'v4', action: 'read', expires: Date.now() + HOUR_MS },
      responseDisposition: 'attachment; filename="a b.csv"',
    })
    const got = await fetch(link)
    expect([got.status, await got.text()]).toEqual([200, 'signed'])
    expect(got.headers.get('content-disposition')).toBe('attachment; filename="a b.csv"')
    const part = await fetch(link, { headers: { range: 'bytes=1-2' } })
    expect([part.status, await part.text()]).toEqual([206, 'ig'])
    expect((await fetch(link, { method: 'HEAD' })).status).toBe(200)
    for (const method of ['DELETE', 'PUT', 'POST']) {
      expect([method, (await fetch(link, { method })).status]).toEqual([method, 403])
    }
    const { pathname, search } = new URL(link)
    expect((await fetch(`${later.endpoint}${pathname}${search}`)).status).toBe(403)
  })

  test('what is tampered with, of another or not signed is refused', async () => {
    const file = await put('signed')
    const other = await put('other')
    const [link] = await file.getSignedUrl({
      ...{ version: 'v4', action: 'read', expires: Date.now() + HOUR_MS },
    })
    const changed = {
      object: link.replace(file.name.slice(-12), other.name.slice(-12)),
      life: link.replace(/X-Goog-Expires=\d+/, 'X-Goog-Expires=600000'),
      name: `${link}&response-content-disposition=inline`,
      signature: link.replace(/(X-Goog-Signature=)../, '$1zz'),
      signer: link.replace('moraine%40', 'nobody%40'),
      unsigned: link.replace(/\?.*/, ''),
    }
    for (const [what, url] of Object.entries(changed)) {
      expect(url).not.toBe(link)
      expect([what, (await fetch(url)).status]).toEqual([what, 403])
    }
  })

  test('a put, compose, copy or delete happens on the generation it expects only', async () => {
    const file = await put('first', 0)
    const first = await generationOf(file)
    expect(await statusOf(put('again', 0, file.name.slice(6)))).toBe(412)
    const second = await generationOf(await put('second', first, file.name.slice(6)))
    expect(second).not.toBe(first)
    const target = newFile()
    const compose = (ifGenerationMatch: number, expected: string) => {
      file.metadata.generation = expected
      return statusOf(bucket.combine([file, file], target, { ifGenerationMatch }))
    }
    expect(await compose(7, second)).toBe(412)
    expect(await compose(0, first)).toBe(404)
    expect(await compose(0, second)).toBe('done')
    expect(String((await target.download())[0])).toBe('secondsecond')
    expect(await compose(0, second)).toBe(412)
    const copied = { preconditionOpts: { ifGenerationMatch: 0 } }
    expect(await statusOf(file.copy(target, copied))).toBe(412)
    expect(await statusOf(file.delete({ ifGenerationMatch: first }))).toBe(412)
    expect(await statusOf(file.delete({ ifGenerationMatch: second }))).toBe('done')
  })

  test('of ten that create one name by put, parts, copy or compose, one wins', async () => {
    const source = await put('source')
    const file = bucket.file(source.name, { generation: await generationOf(source) })
    const creators = {
      put: (name: string) => put('x', 0, name),
      parts: (name: string) =>
        newFile(name).save('x', { resumable: true, preconditionOpts: { ifGenerationMatch: 0 } }),
      copy: (name: string) =>
        source.copy(newFile(name), { preconditionOpts: { ifGenerationMatch: 0 } }),
      compose: (name: string) =>
        bucket.combine([file, file], newFile(name), { ifGenerationMatch: 0 }),
    }
    for (const [how, create] of Object.entries(creators)) {
      const name = randomUUID()
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => statusOf(create(name) as Promise<unknown>)),
      )
      expect([how, outcomes.filter((each) => each === 'done')]).toEqual([how, ['done']])
      expect(new Set(outcomes)).toEqual(new Set(['done', 412]))
    }
  })
})
