import { JsonNode } from '../../../src/formats/json/json-node.ts'
import { refusalOf } from '../../refusal.ts'

/** Counts what is read of a list or map, besides its length or keys. */
function counted<T extends object>(target: T): { readonly value: T; readonly reads: () => number } {
  let reads = 0
  const value = new Proxy(target, {
    get: (of, key) => {
      if (/^(?:\d+|k\d+)$/.test(String(key))) reads++
      return Reflect.get(of, key)
    },
  })
  return { value, reads: () => reads }
}

const list = () => counted(Array.from({ length: 11 }, (_, i) => i))
const map = () => counted(Object.fromEntries(list().value.map((i) => [`k${i}`, 'x'])))
const nodeOf = (value: unknown, lengthMax?: number) =>
  new JsonNode({ a: value }, { code: 'update-invalid', ...(lengthMax && { lengthMax }) }).get('a')

test('a list or map of a request that is too long is refused before any of it is read', () => {
  const items = list()
  const members = map()
  for (const read of [
    () => nodeOf(items.value, 10).items(),
    () => nodeOf(items.value).items(10),
    () => nodeOf(members.value, 10).entries(),
    () => nodeOf(members.value, 10).stringMap(),
    () => nodeOf(members.value).entries(10),
  ]) {
    const { code, message, facts } = refusalOf(read)
    expect([code, facts]).toEqual(['update-invalid', { path: '$.a' }])
    expect(message).toMatch(/^\$\.a: has 11 (?:items|members): the limit is 10$/)
  }
  expect([items.reads(), members.reads()]).toEqual([0, 0])
})

test('as many as are taken are read, a bound of its own counts more, and files have none', () => {
  const items = list()
  expect(nodeOf(items.value, 11).items()).toHaveLength(11)
  expect(items.reads()).toBe(11)
  expect(nodeOf(list().value, 10).items(11)).toHaveLength(11)
  expect(nodeOf(list().value).items()).toHaveLength(11)
  expect(Object.keys(nodeOf(map().value).stringMap())).toHaveLength(11)
})
