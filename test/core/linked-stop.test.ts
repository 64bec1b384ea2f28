import { LinkedStop } from '../../src/core/linked-stop.ts'

/** Counts those who listen, as a signal that lives as long as the service has them. */
function watchedSignal() {
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const [add, remove] = [signal.addEventListener, signal.removeEventListener]
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners++
    add.apply(signal, given)
  }
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners--
    remove.apply(signal, given)
  }
  return { controller, signal, count: () => listeners }
}

test('a linked stop ends with the first of the others, for its reason', () => {
  const [one, two] = [new AbortController(), new AbortController()]
  const { signal } = new LinkedStop(one.signal, two.signal)
  expect(signal.aborted).toBe(false)
  two.abort('two')
  one.abort('one')
  expect([signal.aborted, signal.reason]).toEqual([true, 'two'])
})

test('one that is linked to what has ended has ended', () => {
  const { signal } = new LinkedStop(new AbortController().signal, AbortSignal.abort('before'))
  expect([signal.aborted, signal.reason]).toEqual([true, 'before'])
})

test('its own end is not that of the others', () => {
  const source = new AbortController()
  const stop = new LinkedStop(source.signal)
  stop.abort('own')
  expect([stop.signal.reason, source.signal.aborted]).toEqual(['own', false])
})

test('unlinked, it leaves nothing behind and is ended by none', () => {
  const { controller, signal, count } = watchedSignal()
  for (let i = 0; i < 100; i++) {
    const stop = new LinkedStop(signal)
    expect(count()).toBe(1)
    stop.unlink()
  }
  expect(count()).toBe(0)
  const unlinked = new LinkedStop(signal)
  unlinked.unlink()
  controller.abort('later')
  expect(unlinked.signal.aborted).toBe(false)
})
