import type { Reply } from '../../../src/http/reply.ts'
import { RowStreams, type StreamPlace } from '../../../src/modules/rows/rows-stream.ts'
import { held } from './limits-lab.ts'

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
  const streams = new RowStreams({ streams: 3, streamsOfCaller: 2 })
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
  const streams = new RowStreams({ streams: 1 })
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
  const streams = new RowStreams({ fileBytes: 10, bytes: 15 })
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
