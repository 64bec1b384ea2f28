import { PatientTurns } from '../../../src/lake/jobs/patient-turns.ts'

const refusal = () => new Error('it hangs')

/** A call that ends when it is told to. */
function newCall() {
  let begun = 0
  let end: (value: string) => void = () => undefined
  const ended = new Promise<string>((resolve) => {
    end = resolve
  })
  const call = () => {
    begun++
    return ended
  }
  return { call, end: (value: string) => end(value), count: () => begun }
}

test('calls are made one after the other, and have their own results', async () => {
  const turns = new PatientTurns(60_000)
  const [first, second] = [newCall(), newCall()]
  const results = [first, second].map(({ call }) => turns.run(call, refusal))
  expect([first.count(), second.count()]).toEqual([1, 0])
  first.end('one')
  expect(await results[0]).toBe('one')
  second.end('two')
  expect(await results[1]).toBe('two')
  const failing = turns.run(() => Promise.reject(new Error('no')), refusal)
  await expect(failing).rejects.toThrow('no')
  expect(await turns.run(async () => 'three', refusal)).toBe('three')
})

test('of calls that hang there is one, and the others are refused until it ends', async () => {
  const turns = new PatientTurns(20)
  const [hanging, waiting, late] = [newCall(), newCall(), newCall()]
  const results = [hanging, waiting].map(({ call }) => turns.run(call, refusal))
  await Promise.all(results.map((result) => expect(result).rejects.toThrow('it hangs')))
  await expect(turns.run(late.call, refusal)).rejects.toThrow('it hangs')
  expect([hanging.count(), waiting.count(), late.count()]).toEqual([1, 0, 0])
  hanging.end('at last')
  await new Promise(setImmediate)
  expect(await turns.run(async () => 'again', refusal)).toBe('again')
})
