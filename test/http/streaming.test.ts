import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import pino from 'pino'
import { KNOWS_NOBODY } from '../../src/http/authenticator.ts'
import { ALLOWS_ALL } from '../../src/http/authorizer.ts'
import { BodyMemory } from '../../src/http/body/body-memory.ts'
import { AnswerOnce } from '../../src/http/idempotency/answer-once.ts'
import type { Replays } from '../../src/http/idempotency/replays.ts'
import { requestLog } from '../../src/http/request-log.ts'
import { defineRoute } from '../../src/http/route.ts'
import { Guard, LOOPBACK_ONLY } from '../../src/http/serve/guards.ts'
import { serveDialects } from '../../src/http/serve/pipeline.ts'
import { plainDialect } from '../../src/http/serve/plain-dialect.ts'
import { PublicPath } from '../../src/http/serve/public-path.ts'

const LINE = `${'x'.repeat(999)}\n`
let made = 0
let server: Server
let url: string

const lines = (path: string, pieces: () => Iterable<string>) =>
  defineRoute(
    {
      method: 'get',
      path,
      operationId: path.slice(1),
      tag: { name: 'streams', description: '' },
      permission: 'public',
      summary: path,
      answers: [],
      problems: [],
    },
    () => ({ status: 200, mediaType: 'application/x-ndjson', body: pieces() }),
  )

function* countedLines(): Generator<string> {
  made = 0
  for (;;) {
    made++
    yield LINE
  }
}

function* failsAfter(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield LINE
  throw new Error('the disk went away')
}

function* slowLines(): Generator<string> {
  for (let i = 0; i < 30; i++) {
    const end = performance.now() + 10
    while (performance.now() < end);
    yield LINE
  }
}

beforeAll(async () => {
  const app = express()
  app.use(requestLog(pino({ level: 'silent' })))
  const routes = [
    lines('/endless', countedLines),
    lines('/early-failure', () => failsAfter(3)),
    lines('/late-failure', () => failsAfter(1_000)),
    lines('/slow', slowLines),
    lines('/quick', () => ['{}\n']),
  ]
  const once = new AnswerOnce({ replays: {} as Replays, nowMs: () => 0, newUuid: () => '' })
  app.use(
    serveDialects([plainDialect(routes)], {
      ...{ authenticator: KNOWS_NOBODY, authorizer: ALLOWS_ALL, unasked: () => undefined, once },
      guard: new Guard(LOOPBACK_ONLY),
      publicPath: new PublicPath(undefined),
      bodyMemory: new BodyMemory(1024),
    }),
  )
  server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url + path, { agent: false }, resolve).once('error', reject)
  })
}

/** Resolves when the count did not change for a while. */
async function settled(): Promise<number> {
  for (;;) {
    const before = made
    await sleep(100)
    if (made === before) return made
  }
}

test('a reader that stops reading stops the work, and one that leaves ends it', async () => {
  const response = await open('/endless')
  response.once('data', () => response.pause())
  const held = await settled()
  expect(held * LINE.length).toBeLessThan(16 * 1024 * 1024)
  response.resume()
  await sleep(50)
  response.pause()
  expect(await settled()).toBeGreaterThan(held)
  response.destroy()
  const atLast = await settled()
  await sleep(100)
  expect(made).toBe(atLast)
})

test('a failure before anything was sent is a problem document', async () => {
  const answer = await fetch(`${url}/early-failure`)
  expect(answer.status).toBe(500)
  expect(await answer.json()).toMatchObject({ type: '/problems/internal' })
})

test('a failure half-way resets the connection: the answer must not look whole', async () => {
  const response = await open('/late-failure')
  const ended = await new Promise<string>((resolve) => {
    response.once('end', () => resolve('end'))
    response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
    response.resume()
  })
  expect(ended).toBe('ECONNRESET')
})

test('others are served while a long answer is made', async () => {
  const slow = fetch(`${url}/slow`).then((answer) => answer.text())
  await sleep(20)
  let answered = 0
  const isSlowDone = slow.then(() => true)
  while (!(await Promise.race([isSlowDone, sleep(1).then(() => false)]))) {
    await (await fetch(`${url}/quick`)).text()
    answered++
  }
  expect(answered).toBeGreaterThan(3)
  expect(await slow).toHaveLength(30 * LINE.length)
})
