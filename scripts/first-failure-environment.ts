import { TestEnvironment } from 'jest-environment-node'

interface CircusEvent {
  readonly name: string
  readonly test?: { readonly errors: readonly unknown[]; mode?: string }
}

/** Skips what comes after the first test of a file that fails: one is enough to catch a bug. */
// biome-ignore lint/style/noDefaultExport: Jest takes the default export.
export default class FirstFailureEnvironment extends TestEnvironment {
  #hasFailed = false

  handleTestEvent({ name, test }: CircusEvent): void {
    if (name === 'test_done' && test !== undefined && test.errors.length > 0) this.#hasFailed = true
    if (name === 'test_start' && test !== undefined && this.#hasFailed) test.mode = 'skip'
  }
}
