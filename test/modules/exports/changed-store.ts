import type { ObjectStore } from '../../../src/objects/object-store.ts'

/** The store, but for some of its methods. */
export function changedStore(store: ObjectStore, changed: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      if (name in changed) return Reflect.get(changed, name)
      const method = Reflect.get(target, name)
      return typeof method === 'function' ? method.bind(target) : method
    },
  })
}
