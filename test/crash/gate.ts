/** Where clients wait while the service is down. */
export class Gate {
  #opened = Promise.resolve()
  #open: () => void = () => undefined

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#open()
  }

  passed(): Promise<void> {
    return this.#opened
  }
}
