import { SharedWork } from '../../src/core/shared-work.ts'
import { untilStopped } from '../../src/core/until-stopped.ts'

/** Work whose end the test decides. */
function held() {
  let end: (value: number | Error) => void = () => undefined
  const ended = new Promise<number>((resolve, reject) => {
    end = (value) => (value instanceof Error ? reject(value) : resolve(value))
  })
  return { ended, end }
}

const gone = new Error('gone')

describe('work that several wait for', () => {
  function shared() {
    const { ended, end } = held()
    let stopped: AbortSignal | undefined
    const work = new SharedWork((signal) => {
      stopped = signal
      return ended
    })
    return { work, end, signal: () => stopped as AbortSignal }
  }

  test('goes on for those who are left, and stops with the last', async () => {
    const { work, signal } = shared()
    const [first, second] = [new AbortController(), new AbortController()]
    const results = Promise.allSettled([work.result(first.signal), work.result(second.signal)])
    first.abort(gone)
    await expect(work.result(first.signal)).rejects.toBe(gone)
    expect([signal().aborted, work.isLost]).toEqual([false, false])
    second.abort(gone)
    await results
    expect([signal().aborted, signal().reason, work.isLost]).toEqual([true, gone, true])
  })

  test('is kept once it is done, and lost once it has failed', async () => {
    const [done, failed] = [shared(), shared()]
    const never = new AbortController().signal
    const results = Promise.allSettled([done.work.result(never), failed.work.result(never)])
    done.end(7)
    failed.end(gone)
    expect([done.work.isDone, failed.work.isDone]).toEqual([false, false])
    await results
    expect([done.work.isDone, failed.work.isDone]).toEqual([true, false])
    await Promise.all([done.work.over(), failed.work.over()])
    expect(await done.work.result(never)).toBe(7)
    expect([done.work.isLost, done.signal().aborted, failed.work.isLost]).toEqual([
      ...[false, false, true],
    ])
  })
})

describe('what is waited for until a signal ends', () => {
  test('is the result, or the failure, of the work', async () => {
    const { signal } = new AbortController()
    await expect(untilStopped(Promise.resolve(1), signal)).resolves.toBe(1)
    await expect(untilStopped(Promise.reject(gone), signal)).rejects.toBe(gone)
    await expect(untilStopped(Promise.resolve(2), undefined)).resolves.toBe(2)
  })

  test('is left at once, and its later failure is nobody’s', async () => {
    const { ended, end } = held()
    const stop = new AbortController()
    const left = untilStopped(ended, stop.signal)
    stop.abort(gone)
    await expect(left).rejects.toBe(gone)
    await expect(untilStopped(ended, stop.signal)).rejects.toBe(gone)
    end(new Error('late'))
    await new Promise((resolve) => setImmediate(resolve))
  })
})
