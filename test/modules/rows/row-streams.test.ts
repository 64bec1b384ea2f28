import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BytePieces, ByteStream, Reply } from '../../../src/http/reply.ts'
import type { RowsParts } from '../../../src/modules/rows/rows-parts.ts'
import { RowStreams, type StreamPlace } from '../../../src/modules/rows/rows-stream.ts'
import { openLocalFile, openScratchFile } from '../../../src/objects/local/local-file.ts'
import { held } from './limits-lab.ts'

let folder: string
let files = 0
/** What ends when a test does. */
const open: AbortController[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-row-streams-'))
})
afterEach(() => {
  for (const closing of open.splice(0)) closing.abort(gone)
})
afterAll(() => rm(folder, { recursive: true }))

const FILES = {
  converter: {
    open: openLocalFile,
    openScratch: () => openScratchFile(join(folder, `scratch-${files++}`)),
  },
}

const gone = new Error('gone')
const overloaded = { code: 'overloaded' }
const text = {
  result: { schemaId: 0, fields: [], identifierFieldIds: [] },
  members: {},
  headers: {},
}

function file(sizeBytes = 0) {
  let closed = 0
  const close = async () => {
    closed++
  }
  return { sizeBytes, chunks: async function* () {}, close, closed: () => closed }
}

/** A request that waits for its turn until `end` is called, and then sends a file. */
function request(streams: RowStreams, asker: string, sent = file()) {
  const closing = new AbortController()
  const turn = held()
  let place: StreamPlace | undefined
  const replied: Promise<Reply> = streams.withPlace(
    { asker, closed: closing.signal },
    async (given) => {
      place = given
      await turn.work()
      return await given.reply('ndjson', { ...text, file: sent })
    },
  )
  replied.catch(() => undefined)
  const close = () => closing.abort(gone)
  return { replied, close, sent, end: turn.end, place: () => place as StreamPlace }
}

test('a place is taken before the turn, and is free when the response is closed', async () => {
  const streams = new RowStreams(FILES, { streams: 3, streamsOfCaller: 2 })
  const [a, b] = [request(streams, 'a'), request(streams, 'a')]
  await expect(request(streams, 'a').replied).rejects.toMatchObject(overloaded)
  request(streams, 'b')
  await expect(request(streams, 'c').replied).rejects.toMatchObject(overloaded)
  a.end()
  expect((await a.replied).status).toBe(200)
  // It is still being sent.
  await expect(request(streams, 'c').replied).rejects.toMatchObject(overloaded)
  a.close()
  expect(a.sent.closed()).toBe(1)
  const c = request(streams, 'c')
  c.end()
  await c.replied
  b.end(gone)
  await expect(b.replied).rejects.toBe(gone)
  const last = request(streams, 'a')
  last.end()
  await last.replied
})

test('a client that goes before its file is there leaves no file, and no place', async () => {
  const streams = new RowStreams(FILES, { streams: 1 })
  const first = request(streams, 'a')
  first.close()
  expect(first.place().signal.aborted).toBe(true)
  first.end()
  await expect(first.replied).rejects.toBe(gone)
  expect(first.sent.closed()).toBe(1)
  const next = request(streams, 'a')
  next.end()
  await next.replied
})

test('the bytes of one file are bounded, and those of all', async () => {
  const streams = new RowStreams(FILES, { fileBytes: 10, bytes: 15 })
  const [one, other] = [request(streams, 'a'), request(streams, 'b')]
  one.place().onWrite(10)
  expect(one.place().signal.aborted).toBe(false)
  other.place().onWrite(6)
  expect(other.place().signal.reason).toMatchObject(overloaded)
  other.end(gone)
  await expect(other.replied).rejects.toBe(gone)
  one.place().onWrite(11)
  expect(one.place().signal.reason).toMatchObject({ code: 'result-too-large' })
  // A file that was made between two looks is looked at, too.
  const late = request(streams, 'c', file(11))
  late.end()
  await expect(late.replied).rejects.toMatchObject({ code: 'result-too-large' })
  expect(late.sent.closed()).toBe(1)
})

/** A response whose rows are added one file after the other. */
async function result(streams: RowStreams, rows: readonly string[], asker = 'a') {
  const closing = new AbortController()
  open.push(closing)
  const add = async (parts: RowsParts) => {
    for (const each of rows) {
      const path = join(folder, `rows-${files++}`)
      await writeFile(path, each)
      await parts.add(path)
      await rm(path)
    }
    return await parts.reply('json', text, closing.signal)
  }
  const reply = await streams.withParts({ asker, closed: closing.signal }, add)
  return { reply, close: () => closing.abort(gone) }
}

async function bodyOf({ body }: Reply): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (body as ByteStream).chunks()) chunks.push(Uint8Array.from(chunk))
  const whole = Buffer.concat(chunks)
  expect(whole.length).toBe((body as ByteStream).bytes)
  return whole.toString()
}

const piecesOf = ({ body }: Reply) => Buffer.concat((body as BytePieces).pieces).toString()

test('small results are sent from memory, all others from files, as the very same', async () => {
  const rows = ['{"n":1}\n{"n":2}\n', '{"n":3}\n', '{"n":4}\n', '{"n":5}\n']
  const small = await result(new RowStreams(FILES), rows)
  const expected = '{"rows":[{"n":1},{"n":2},{"n":3},{"n":4},{"n":5}]}'
  expect(piecesOf(small.reply)).toBe(expected)
  for (const smallBytes of [0, 16, 24, 32]) {
    const large = await result(new RowStreams(FILES, { smallBytes }), rows)
    expect(large.reply.headers).toEqual(small.reply.headers)
    expect(await bodyOf(large.reply)).toBe(expected)
    large.close()
    // Nothing is left on the disk, and reading it has an end.
    await expect(bodyOf(large.reply)).rejects.toThrow()
  }
  expect(await readdir(folder)).toEqual([])
})

test('what all together hold in memory is bounded: the next are sent from files', async () => {
  const streams = new RowStreams(FILES, { smallBytes: 10, memoryBytes: 15 })
  const first = await result(streams, ['{"n":1}\n'])
  expect(piecesOf(first.reply)).toBe('{"rows":[{"n":1}]}')
  const second = await result(streams, ['{"n":2}\n'])
  expect(await bodyOf(second.reply)).toBe('{"rows":[{"n":2}]}')
  first.close()
  expect(piecesOf((await result(streams, ['{"n":3}\n'])).reply)).toBe('{"rows":[{"n":3}]}')
})

test('who does not read its large results gets no more of them, and others do', async () => {
  const limits = { smallBytes: 0, results: 3, resultsOfCaller: 2, streams: 0, bytes: 30 }
  const streams = new RowStreams(FILES, limits)
  const unread = await result(streams, ['{"n":1}\n'])
  await result(streams, ['{"n":2}\n'])
  await expect(result(streams, ['{"n":3}\n'])).rejects.toMatchObject(overloaded)
  await result(streams, ['{"n":3}\n'], 'b')
  await expect(result(streams, ['{"n":4}\n'], 'c')).rejects.toMatchObject(overloaded)
  unread.close()
  await expect(result(streams, ['x'.repeat(20)], 'c')).rejects.toMatchObject(overloaded)
  const next = await result(streams, ['{"n":4}\n'], 'c')
  expect(await bodyOf(next.reply)).toBe('{"rows":[{"n":4}]}')
})

test('large texts take turns in memory', () => {
  const streams = new RowStreams(FILES, { smallBytes: 3, memoryBytes: 10 })
  const closing = new AbortController()
  streams.holdText('x'.repeat(20), closing.signal)
  streams.holdText('abc', closing.signal)
  expect(() => streams.holdText('abcd', closing.signal)).toThrow(
    expect.objectContaining(overloaded),
  )
  closing.abort(gone)
  streams.holdText('abcd', new AbortController().signal)
})
