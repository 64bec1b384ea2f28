import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import type { MutantGroup } from '../test/mutants/mutant.ts'

export type Verdict = 'caught' | 'caught by time only' | 'lived' | 'not tried'

/** What became of one deliberate bug. */
export interface Trial {
  readonly list: string
  readonly bug: string
  readonly verdict: Verdict
  /** Why it was not tried. */
  readonly reason?: string
}

/** What was tried, on disk: `--resume` passes over it while file and tests are as they were. */
export class MutantRecord {
  readonly #path: string
  readonly #verdicts: ReadonlyMap<string, Verdict>

  private constructor(path: string, verdicts: ReadonlyMap<string, Verdict>) {
    this.#path = path
    this.#verdicts = verdicts
  }

  static async open(path: string): Promise<MutantRecord> {
    const lines = existsSync(path) ? (await readFile(path, 'utf8')).trim().split('\n') : []
    return new MutantRecord(path, new Map(lines.filter(Boolean).map((line) => keyed(line))))
  }

  find(key: string): Verdict | undefined {
    return this.#verdicts.get(key)
  }

  async add(key: string, trial: Trial): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true })
    const load = loadavg()[0]?.toFixed(1)
    const line = { key, ...trial, triedAt: new Date().toISOString(), load }
    await appendFile(this.#path, `${JSON.stringify(line)}\n`)
  }
}

/** Names a bug by the text of its file with it and by its tests. */
export async function trialKey(
  copy: string,
  { group, bug }: { group: MutantGroup; bug: string },
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([group.file, bug, group.named]))
  for (const test of group.tests) hash.update(test).update(await readFile(join(copy, test)))
  return hash.digest('hex')
}

function keyed(line: string): [key: string, verdict: Verdict] {
  const { key, verdict } = JSON.parse(line) as { key: string; verdict: Verdict }
  return [key, verdict]
}
