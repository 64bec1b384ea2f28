import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { decompress } from 'fzstd'
import type { SnapshotSelector } from '../../../src/core/table/snapshot-selector.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import type { DumpDependencies, DumpOptions } from '../../../src/modules/dumps/dump-dependencies.ts'
import { readPieces } from '../../../src/modules/dumps/dump-digest.ts'
import { type DumpTarget, dumpTargetOf } from '../../../src/modules/dumps/dump-key.ts'
import { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import type {
  DumpCompression,
  DumpFormat,
  DumpIndex,
} from '../../../src/modules/dumps/format/dump-index.ts'
import { readTable } from '../../../src/modules/tables/tables.ts'
import { withEngine } from '../../lake/failing-disk.ts'
import { openWorkshop, type Workshop, type WorkshopOptions } from '../../lake/workshop.ts'

export interface DumpWish extends SnapshotSelector {
  readonly format?: DumpFormat
  readonly compression?: DumpCompression
}

export interface DumpShop extends Workshop {
  readonly dumps: Dumps
  readonly counting: CountingEngine
  target(table: string, wish?: DumpWish): Promise<DumpTarget>
  /** The finished dump. */
  make(table: string, wish?: DumpWish): Promise<MadeDump>
  /** Another process over the same catalog and files. */
  anotherDumps(options?: Partial<DumpOptions>): Promise<Process>
}

export interface Process {
  readonly deps: DumpDependencies
  readonly dumps: Dumps
  readonly counting: CountingEngine
}

export interface MadeDump {
  readonly index: DumpIndex
  readonly bytes: Buffer
}

/** The engine it is given, with a count of the exports that were begun. */
export class CountingEngine implements Engine {
  readonly #engine: Engine
  exports = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  export: Engine['export'] = (job, options) => {
    this.exports++
    return this.#engine.export(job, options)
  }

  ingest: Engine['ingest'] = (job, options) => this.#engine.ingest(job, options)

  split: Engine['split'] = (job, options) => this.#engine.split(job, options)

  query: Engine['query'] = (job, options) => this.#engine.query(job, options)

  parseSql: Engine['parseSql'] = (sql, options) => this.#engine.parseSql(sql, options)

  querySql: Engine['querySql'] = (job, options) => this.#engine.querySql(job, options)

  close(): Promise<void> {
    return this.#engine.close()
  }
}

/** Dumps over real files, a real catalog and a real engine. */
export async function openDumpShop({
  sharesEngine = true,
  ...options
}: Partial<DumpOptions> & WorkshopOptions = {}): Promise<DumpShop> {
  const shop = await openWorkshop({ sharesEngine })
  const opened: Dumps[] = []
  const start = (base: DumpDependencies, changed: Partial<DumpOptions>): Process => {
    const counting = new CountingEngine(base.converter.options.engine)
    const deps = withEngine(base, counting)
    const dumps = new Dumps(deps, { keepNewest: 3, ...options, ...changed })
    opened.push(dumps)
    return { deps, dumps, counting }
  }
  const first = start(shop.deps, {})
  const target = async (table: string, wish: DumpWish = {}) => {
    const { format = 'csv', compression = 'none', ...moment } = wish
    const { state, snapshot, schema } = await readTable(shop.deps, { table, ...moment })
    if (snapshot === undefined) throw new Error(`${table} has no snapshot`)
    const restriction = 'unrestricted' as const
    return dumpTargetOf(state, snapshot, { format, compression, restriction }, schema)
  }
  return {
    ...shop,
    dumps: first.dumps,
    counting: first.counting,
    target,
    async make(table, wish) {
      const wanted = await target(table, wish)
      const index = await finished(first.dumps, wanted)
      return { index, bytes: await bytesOf(shop.deps, index) }
    },
    anotherDumps: async (changed = {}) => start(await shop.another(), changed),
    async close() {
      await Promise.all(opened.map((dumps) => dumps.close()))
      await shop.close()
    },
  }
}

export async function finished(dumps: Dumps, target: DumpTarget): Promise<DumpIndex> {
  const opened = await dumps.open(target)
  return opened instanceof DumpProgress ? opened.done : opened
}

/** As a reader gets them; they are what the index says. */
export async function bytesOf(
  { objects }: Pick<DumpDependencies, 'objects'>,
  { pieces, lengthBytes, sha256 }: DumpIndex,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readPieces(objects, pieces)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const found = { lengthBytes: bytes.length, sha256: sha256Hex(bytes) }
  expect(found).toEqual({ lengthBytes, sha256 })
  return bytes
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function plainBytes({ index, bytes }: MadeDump): Uint8Array {
  if (index.compression === 'gzip') return gunzipSync(bytes)
  return index.compression === 'zstd' ? decompress(bytes) : bytes
}

let files = 0

/** The dump as a file that an engine can read, uncompressed. */
export async function saved(shop: DumpShop, dump: MadeDump): Promise<string> {
  const path = `${shop.dataFolder}/dump-${++files}.${dump.index.format}`
  await writeFile(path, plainBytes(dump))
  return path
}
