import type { ObjectStore } from '../../../src/objects/object-store.ts'

export class Killed extends Error {}

/** A store whose process dies at the first call of a method that is about such a location. */
export function dyingStore(
  objects: ObjectStore,
  {
    method,
    isIt,
    after = false,
  }: {
    readonly method: keyof ObjectStore
    isIt(location: string): boolean
    /** Whether the call is done before. */
    readonly after?: boolean
  },
): ObjectStore {
  let isDead = false
  return new Proxy(objects, {
    get(target, name) {
      const called = Reflect.get(target, name)
      if (typeof called !== 'function') return called
      return (...given: unknown[]) => {
        if (isDead) throw new Killed()
        if (name !== method || !isIt(String(given[0]))) return called.apply(target, given)
        const die = () => {
          isDead = true
          throw new Killed()
        }
        return after ? called.apply(target, given).then(die) : die()
      }
    },
  })
}
