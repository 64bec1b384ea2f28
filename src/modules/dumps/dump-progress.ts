import type { DumpIndex, DumpPiece } from './format/dump-index.ts'

/**
 * A dump while it is being made. Any number of readers may follow its pieces from the first on;
 * a failure reaches all of them.
 */
export class DumpProgress {
  readonly pieces: DumpPiece[] = []
  /** Resolves when the index is written; rejects if the dump cannot be made. */
  readonly done: Promise<DumpIndex>
  #wake: () => void = () => undefined
  #news: Promise<void>
  #isOver = false

  constructor(make: (progress: DumpProgress) => Promise<DumpIndex>) {
    this.#news = this.#nextNews()
    this.done = make(this).finally(() => {
      this.#isOver = true
      this.#announce()
    })
    // Followers see the failure; without a follower, the rejection must not end the process.
    this.done.catch(() => undefined)
  }

  add(piece: DumpPiece): void {
    this.pieces.push(piece)
    this.#announce()
  }

  /** Every piece in order; ends when the dump is complete, and throws if it fails. */
  async *follow(): AsyncIterable<DumpPiece> {
    for (let next = 0; ; ) {
      const news = this.#news
      while (next < this.pieces.length) yield this.pieces[next++] as DumpPiece
      if (this.#isOver) {
        await this.done
        if (next === this.pieces.length) return
      } else if (next === this.pieces.length) {
        await news
      }
    }
  }

  #nextNews(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #announce(): void {
    const wake = this.#wake
    this.#news = this.#nextNews()
    wake()
  }
}
