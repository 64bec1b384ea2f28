import { Opened, openAll } from '../src/opened.ts'

test('what was opened last is closed first, each once', async () => {
  const closed: string[] = []
  const opened = new Opened()
  for (const name of ['a', 'b', 'c']) opened.add(name, (it) => closed.push(it))
  await Promise.all([opened.close(), opened.close()])
  await opened.close()
  expect(closed).toEqual(['c', 'b', 'a'])
})

test('one that cannot be closed keeps none of the others open, and is reported', async () => {
  const closed: string[] = []
  const opened = new Opened()
  opened.add('a', (it) => closed.push(it))
  opened.add('b', () => Promise.reject(new Error('b is stuck')))
  opened.add('c', (it) => closed.push(it))
  await expect(opened.close()).rejects.toThrow('b is stuck')
  expect(closed).toEqual(['c', 'a'])
})

test('a failure half-way closes what was opened, and is reported itself', async () => {
  const closed: string[] = []
  const opening = openAll(async (opened) => {
    opened.add('a', (it) => closed.push(it))
    opened.add('b', () => Promise.reject(new Error('b is stuck')))
    throw new Error('there is no c')
  })
  await expect(opening).rejects.toThrow('there is no c')
  expect(closed).toEqual(['a'])
})
