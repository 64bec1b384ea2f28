/** What operators see of dumps. */
export interface DumpMeter {
  dumpStarted(): void
  dumpFailed(code: string): void
}
