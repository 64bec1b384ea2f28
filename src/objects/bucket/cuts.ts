const CUTS_MAX = 5
/** Cuts before so much progress count no more. */
const PROGRESS_BYTES = 1024 * 1024

/** Cuts of one stream without progress between them. */
export class Cuts {
  #count = 0
  #position = 0

  at(position: number): void {
    this.#count = position - this.#position > PROGRESS_BYTES ? 1 : this.#count + 1
    this.#position = position
  }

  get areTooMany(): boolean {
    return this.#count > CUTS_MAX
  }
}
