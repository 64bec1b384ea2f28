import { CatalogError } from '../../../core/errors.ts'
import { ProblemError } from '../../../problem/problems.ts'

/** Ends a dump in the making. */
export type StopDump = (reason: unknown) => void

export interface DumpSpaceOptions {
  /** The size of all dumps together. */
  readonly bytesMax: number
  /** Called when dumps in the making have grown by a sixteenth of the budget. */
  onGrowth(): void
}

const PARTS_OF_GROWTH = 16

/** Disk that dumps in the making take in this process, held against the budget of all dumps. */
export class DumpSpace {
  readonly #options: DumpSpaceOptions
  readonly #growing = new Set<SpaceOfDump>()
  #toldBytes = 0

  constructor(options: DumpSpaceOptions) {
    this.#options = options
  }

  /** What conversions have written and no folder of dumps has yet. */
  get workingBytes(): number {
    return sum([...this.#growing].map((each) => each.workingBytes))
  }

  /** The caller ends it with the dump. */
  begin(stop: StopDump): SpaceOfDump {
    const own = new SpaceOfDump({ stop, onChange: () => this.#check(own) })
    this.#growing.add(own)
    return own
  }

  end(own: SpaceOfDump): void {
    this.#growing.delete(own)
    this.#toldBytes = Math.min(this.#toldBytes, this.#takenBytes)
  }

  get #takenBytes(): number {
    return sum([...this.#growing].map((each) => each.takenBytes))
  }

  #check(own: SpaceOfDump): void {
    const { bytesMax, onGrowth } = this.#options
    const leastBytes = own.leastBytes
    if (leastBytes > bytesMax) own.stop(tooLarge(leastBytes, bytesMax))
    const takenBytes = this.#takenBytes
    if (takenBytes > bytesMax && this.#growing.size > 1) {
      // The last to begin has least to lose.
      ;[...this.#growing].at(-1)?.stop(othersGrow(bytesMax))
    }
    if (takenBytes - this.#toldBytes < bytesMax / PARTS_OF_GROWTH) return
    this.#toldBytes = takenBytes
    onGrowth()
  }
}

/** What one conversion writes: told until it ends. */
export interface SpaceOfConversion {
  onWrite(bytes: number): void
  end(): void
}

/** Disk that one dump in the making takes. */
export class SpaceOfDump {
  readonly stop: StopDump
  readonly #onChange: () => void
  readonly #conversions = new Map<SpaceOfConversion, number>()
  #shardBytes = 0
  #newShardBytes = 0
  /** Where all that a conversion writes becomes part of the dump. */
  #plainBytes = 0

  constructor({ stop, onChange }: { readonly stop: StopDump; readonly onChange: () => void }) {
    this.stop = stop
    this.#onChange = onChange
  }

  get workingBytes(): number {
    return sum(this.#conversions.values())
  }

  /** What it has added to the disk. */
  get takenBytes(): number {
    return this.#newShardBytes + this.workingBytes
  }

  /** At least so much disk is needed for it, in whatever order its parts are made. */
  get leastBytes(): number {
    return Math.max(this.#shardBytes + this.#plainBytes, ...this.#conversions.values())
  }

  /** A finished part of it, new or of an earlier dump. */
  addShard(bytes: number, { isNew }: { readonly isNew: boolean }): void {
    this.#shardBytes += bytes
    if (isNew) this.#newShardBytes += bytes
    this.#onChange()
  }

  /** `isPlain`: whether all that it writes becomes part of the dump. */
  beginConversion({ isPlain }: { readonly isPlain: boolean }): SpaceOfConversion {
    let isOver = false
    const conversion: SpaceOfConversion = {
      onWrite: (bytes) => {
        if (isOver) return
        if (isPlain) this.#plainBytes += bytes - (this.#conversions.get(conversion) ?? 0)
        this.#conversions.set(conversion, bytes)
        this.#onChange()
      },
      end: () => {
        isOver = true
        if (isPlain) this.#plainBytes -= this.#conversions.get(conversion) ?? 0
        this.#conversions.delete(conversion)
      },
    }
    return conversion
  }
}

export function isStorageFull(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'storage-full'
}

/** Whether making the same dump again can only fail again. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof ProblemError && error.code === 'dump-too-large'
}

function tooLarge(leastBytes: number, bytesMax: number): ProblemError {
  return new ProblemError(
    'dump-too-large',
    `the dump takes more disk than all dumps may have (${shown(bytesMax)}): ask for a compressed ` +
      'or a Parquet dump, or let the operator raise MORAINE_DUMP_BUDGET',
    { facts: { bytesMin: leastBytes, bytesMax } },
  )
}

function othersGrow(bytesMax: number): CatalogError {
  return new CatalogError(
    'overloaded',
    `other dumps in the making take all of MORAINE_DUMP_BUDGET (${shown(bytesMax)}): ` +
      'try again when they are made',
    { facts: { bytesMax } },
  )
}

function shown(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${Math.floor(bytes / 1e6)} MB`
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const each of numbers) total += each
  return total
}
