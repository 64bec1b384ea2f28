import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Environment, readConfig } from '../../src/config.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { openPlatform, type Platform } from '../../src/service.ts'
import { describePostgres } from '../catalog/postgres-server.ts'

const WRITES = new Set(['putIfAbsent', 'delete'])

export interface Replica {
  readonly deps: Platform
  /** Locations of the files that it wrote, metadata of tables left out. */
  readonly writes: string[]
}

/**
 * Acts of clients that never rest, so many of each replica, until so many are acknowledged; counts
 * by replica.
 */
export async function actTogether(
  all: readonly Replica[],
  total: number,
  act: (replica: Replica) => Promise<unknown>,
  clientsOfEach = 4,
): Promise<number[]> {
  const acknowledged = all.map(() => 0)
  let sum = 0
  const client = async (replica: Replica, index: number) => {
    while (sum < total) {
      await act(replica)
      acknowledged[index] = (acknowledged[index] ?? 0) + 1
      sum++
    }
  }
  const clients = Array.from({ length: clientsOfEach }, () => all.map(client))
  await Promise.all(clients.flat())
  return acknowledged
}

/** The same tests on both databases, as far as they are here. */
export function describeOnBoth(
  sqlite: () => string,
  describeTests: (newCatalog: () => Promise<string>) => void,
): void {
  describe('SQLite', () => describeTests(async () => sqlite()))
  describePostgres((server) => describeTests(() => server().newDatabase()))
}

/** Processes in all but name, on one warehouse: each has its own connections, caches and queue. */
export class Replicas {
  readonly home: string
  readonly #open: { close(): Promise<unknown> }[] = []

  private constructor(home: string) {
    this.home = home
  }

  static async open(): Promise<Replicas> {
    return new Replicas(await mkdtemp(join(tmpdir(), 'moraine-replicas-')))
  }

  /** A database that all of them may share. */
  get sqlite(): string {
    return `sqlite:${this.home}/catalog.db`
  }

  /** One whose writes of files take as much longer as those of a bucket so far away. */
  async add(catalog: string, delayMs = 0, environment: Environment = {}): Promise<Replica> {
    const writes: string[] = []
    const config = readConfig({
      MORAINE_ALLOWED_LOCATIONS: `${this.home}/lake`,
      MORAINE_CATALOG: catalog,
      MORAINE_HOME: join(this.home, `home-${this.#open.length}`),
      MORAINE_WAREHOUSE: `file://${this.home}/warehouse`,
      ...environment,
    })
    const wrapObjects = (objects: ObjectStore) => farStore(objects, delayMs, writes)
    const deps = await openPlatform(config, { wrapObjects, inThreads: false })
    this.#open.push(deps)
    return { deps, writes }
  }

  /** Closed before what is open already. */
  closeFirst(it: { close(): Promise<unknown> }): void {
    this.#open.push(it)
  }

  async close(): Promise<void> {
    for (const it of this.#open.splice(0).reverse()) await it.close()
    await rm(this.home, { recursive: true, force: true })
  }
}

function farStore(objects: ObjectStore, delayMs: number, writes: string[]): ObjectStore {
  return new Proxy(objects, {
    get(store, name) {
      const method: unknown = Reflect.get(store, name)
      if (typeof method !== 'function') return method
      if (!WRITES.has(String(name))) return method.bind(store)
      return async (...args: unknown[]) => {
        if (name === 'putIfAbsent') writes.push(String(args[0]))
        await sleep(delayMs)
        return method.apply(store, args)
      }
    },
  })
}
