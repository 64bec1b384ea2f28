import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { writeParquet } from '../../parquet-files.ts'
import { ask, must, post } from '../client.ts'
import { startTestService, type TestService } from '../harness.ts'

let service: TestService
let other: TestService
let bytes: Buffer
let tables = 0
beforeAll(async () => {
  service = await startTestService()
  other = await startTestService({ home: service.home })
  const path = `${service.dataFolder}/n.parquet`
  // So many values that the body is longer than what is read of a repeated one.
  await writeParquet(path, 'SELECT (hash(i) >> 1)::BIGINT AS n FROM range(20000) t(i)')
  bytes = await readFile(path)
})
afterAll(async () => {
  await other.stop()
  await service.close()
})

const PARQUET = 'application/vnd.apache.parquet'

async function newTable(): Promise<string> {
  const name = `t${++tables}`
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name, schema }), 201)
  return name
}

const filesOf = async (table: string): Promise<number> =>
  (await must(ask(service, `/v1/tables/${table}`))).totals.data_files

/** An upload of which the test sends the body. */
function open(
  to: TestService,
  table: string,
  { key, length = bytes.length, type = PARQUET }: { key: string; length?: number; type?: string },
) {
  const upload: ClientRequest = request(`${to.url}/v1/tables/${table}/files`, {
    method: 'POST',
    headers: { 'Content-Type': type, 'Content-Length': length, 'Idempotency-Key': key },
  })
  const answer = new Promise<{ status: number; body: string; retryAfter: string | undefined }>(
    (resolve, reject) => {
      upload.once('error', reject)
      upload.once('response', async (response: IncomingMessage) => {
        const retryAfter = response.headers['retry-after']
        resolve({ status: response.statusCode ?? 0, body: await text(response), retryAfter })
      })
    },
  )
  return { upload, answer }
}

interface Upload {
  readonly body?: Uint8Array
  readonly type?: string
}

function send(to: TestService, table: string, key: string, { body = bytes, type }: Upload = {}) {
  const options = { key, length: body.length, ...(type === undefined ? {} : { type }) }
  const { upload, answer } = open(to, table, options)
  upload.end(body)
  return answer
}

/** Sends half, and waits until the key is reserved. */
async function halfSent(table: string, key: string) {
  const opened = open(service, table, { key })
  opened.upload.write(bytes.subarray(0, 1_000))
  const { replays } = service.deps.catalog
  const probe = {
    ...{ principal: 'anonymous', key, requestHash: '', owner: 'probe' },
    ...{ nowMs: Date.now(), durationMs: 0 },
  }
  while ((await replays.reserve(probe)).outcome !== 'in-use') {
    await replays.release(probe)
  }
  return opened
}

test('a repeated upload adds its rows once and gets one answer, from any process', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  const first = await send(service, table, key)
  expect(first.status).toBe(201)
  expect(await send(service, table, key)).toEqual(first)
  expect(await send(other, table, key)).toEqual(first)
  expect(await filesOf(table)).toBe(1)
})

test('a finished key is answered before the body comes', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  const first = await send(service, table, key)
  const { upload, answer } = open(service, table, { key })
  upload.write(bytes.subarray(0, 66 * 1024))
  expect(await answer).toEqual(first)
  upload.destroy()
})

test('a second upload in between has to wait, in another process, too', async () => {
  const [table, key] = [await newTable(), 'any text, too']
  const { upload, answer } = await halfSent(table, key)
  for (const to of [service, other]) {
    const { status, body, retryAfter } = await send(to, table, key)
    expect([status, JSON.parse(body).type]).toEqual([409, '/problems/idempotency-key-in-use'])
    expect(Number(retryAfter)).toBeGreaterThan(0)
  }
  upload.end(bytes.subarray(1_000))
  const first = await answer
  expect(first.status).toBe(201)
  expect(await send(other, table, key)).toEqual(first)
  expect(await filesOf(table)).toBe(1)
})

test('whatever else comes with the key of a running upload has to wait, too', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  const { upload, answer } = await halfSent(table, key)
  const create = { name: `t${++tables}`, schema: { columns: [{ name: 'n', type: 'long' }] } }
  for (const to of [service, other]) {
    const waiting = await ask(to, '/v1/tables', {
      ...{ method: 'POST', json: create },
      headers: { 'Idempotency-Key': key },
    })
    expect([waiting.status, waiting.body.type]).toEqual([409, '/problems/idempotency-key-in-use'])
    expect(Number(waiting.headers.get('retry-after'))).toBeGreaterThan(0)
    const { status } = await send(to, table, key, { body: bytes.subarray(1) })
    expect(status).toBe(409)
  }
  expect((await ask(service, `/v1/tables/${create.name}`)).status).toBe(404)
  upload.destroy()
  await expect(answer).rejects.toThrow()
  // Nothing was done under the key, so the next that comes has it: a wait is no final answer.
  for (;;) {
    const { status } = await ask(other, '/v1/tables', {
      ...{ method: 'POST', json: create },
      headers: { 'Idempotency-Key': key },
    })
    if (status === 409) continue
    expect(status).toBe(201)
    break
  }
  expect((await send(service, table, key)).status).toBe(422)
})

test('an upload that was cut off can be repeated at once', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  const { upload, answer } = await halfSent(table, key)
  upload.destroy()
  await expect(answer).rejects.toThrow()
  for (;;) {
    const again = await send(other, table, key)
    if (again.status === 409) continue
    expect(again.status).toBe(201)
    break
  }
  expect(await filesOf(table)).toBe(1)
})

test('a key that a dead process has reserved is free after a while', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  await service.deps.catalog.replays.reserve({
    ...{ principal: 'anonymous', key, requestHash: 'any', owner: 'dead' },
    ...{ nowMs: Date.now() - 31_000, durationMs: 30_000 },
  })
  expect((await send(service, table, key)).status).toBe(201)
})

test('a key belongs to one address, media type and length', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  await send(service, table, key)
  for (const [to, body, type] of [
    [await newTable(), bytes, PARQUET],
    [table, bytes, 'application/parquet'],
    [table, bytes.subarray(1), PARQUET],
  ] as const) {
    const { status, body: problem } = await send(service, to, key, { body, type })
    expect([status, JSON.parse(problem).type]).toEqual([422, '/problems/idempotency-key-reused'])
  }
  expect(await filesOf(table)).toBe(1)
})

test('a short body that differs from the first is noticed by its content', async () => {
  const [table, key] = [await newTable(), randomUUID()]
  const [one, two, type] = [Buffer.from('n\n1\n'), Buffer.from('n\n2\n'), 'text/csv']
  const first = await send(service, table, key, { body: one, type })
  expect(first.status).toBe(201)
  expect(await send(service, table, key, { body: one, type })).toEqual(first)
  expect((await send(service, table, key, { body: two, type })).status).toBe(422)
  const kept = await service.deps.catalog.replays.find({ principal: 'anonymous', key })
  const hash = createHash('sha256').update(one)
  expect(kept?.bodyHash).toBe(hash.digest('base64url'))
})

test('a refused upload is refused again, without its body', async () => {
  const [table, key] = ['not_there', randomUUID()]
  const first = await send(service, table, key)
  expect(first.status).toBe(404)
  expect(await send(service, table, key)).toEqual(first)
})
