/**
 * The service over a store whose writes take BENCH_WRITE_DELAY_MS longer, as those of a bucket do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectStore } from '../src/objects/object-store.ts'
import { runService } from './run-service.ts'

const WRITES: readonly (keyof ObjectStore)[] = [
  'putIfAbsent',
  'putStreamIfAbsent',
  'putFileIfAbsent',
  'moveIfAbsent',
  'delete',
]
const delayMs = Number(process.env['BENCH_WRITE_DELAY_MS'])

function withSlowWrites(objects: ObjectStore): ObjectStore {
  return new Proxy(objects, {
    get(store, name) {
      const method: unknown = Reflect.get(store, name)
      if (typeof method !== 'function') return method
      if (!WRITES.some((write) => write === name)) return method.bind(store)
      return async (...args: unknown[]) => {
        await sleep(delayMs)
        return method.apply(store, args)
      }
    },
  })
}

await runService({ wrapObjects: withSlowWrites }, `every write takes ${delayMs} ms longer`)
