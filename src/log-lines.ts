import { writeSync } from 'node:fs'

/** Bytes that wait for the reader of a full pipe. */
const WAITING_BYTES_MAX = 1024 * 1024
const RETRY_MS = 50
const NEWLINE = 0x0a

/**
 * Writes the lines of a log to an open descriptor. A line that cannot be written is dropped and
 * counted: a full disk, or a reader that is gone, is no reason to end the service. The log goes on
 * as soon as it can be written again.
 */
export class LogLines {
  readonly #descriptor: number
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #dropped = 0
  /** Whether part of the first waiting line is written already. */
  #isHalf = false
  /** Whether the rest of the last line was dropped, so that the next must end it first. */
  #isCut = false
  #retry: NodeJS.Timeout | undefined

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** Lines that were lost so far. */
  get dropped(): number {
    return this.#dropped
  }

  /** Takes a line with its end. Never throws. */
  write(line: string): void {
    const bytes = Buffer.from(this.#isCut ? `\n${line}` : line)
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.#dropped += 1
      return
    }
    this.#isCut = false
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#retry === undefined) this.#flush()
  }

  #flush(): void {
    this.#retry = undefined
    try {
      for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
        this.#writeSome(line)
      }
    } catch (error) {
      // A pipe that does not block, and is full.
      const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN'
      if (isBusy) this.#retry = setTimeout(() => this.#flush(), RETRY_MS).unref()
      else this.#dropAll()
    }
  }

  #writeSome(line: Buffer): void {
    const written = writeSync(this.#descriptor, line)
    this.#waitingBytes -= written
    this.#isHalf = written < line.length
    if (this.#isHalf) this.#waiting[0] = line.subarray(written)
    else this.#waiting.shift()
  }

  #dropAll(): void {
    this.#dropped += this.#waiting.length
    this.#isCut = this.#isHalf || this.#waiting[0]?.[0] === NEWLINE
    this.#isHalf = false
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
