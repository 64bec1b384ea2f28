import { printRow } from '../machine.ts'
import type { Peer, Report } from '../report.ts'
import { askPythonPeer } from './python-peer.ts'

export interface PlanRequest {
  readonly metadataLocation: string
  /** After the first; the best of all counts. */
  readonly rounds: number
  /** PyIceberg's text by the name of the load; an empty one means all files. */
  readonly filters: Readonly<Record<string, string>>
}

/**
 * The same table by its files, with no service between: what an engine does for itself. By the
 * load's name, in ms.
 */
export async function planWithPyIceberg(
  report: Report,
  request: PlanRequest,
): Promise<ReadonlyMap<string, Peer>> {
  const answer = await askPythonPeer<{
    version: string
    answers: Record<string, { files: number; firstMs: number; bestMs: number }>
  }>(report, {
    what: 'peer: PyIceberg, planning',
    environment: 'pyiceberg',
    script: 'pyiceberg_plan.py',
    request: { ...request },
  })
  if (answer === undefined) return new Map()
  printRow([
    'PyIceberg, from local files',
    'files',
    'first ms',
    `best of ${request.rounds + 1}, ms`,
  ])
  printRow(['---', '---', '---', '---'])
  const found = new Map<string, Peer>()
  for (const [name, { files, firstMs, bestMs }] of Object.entries(answer.answers)) {
    printRow([name, files, firstMs.toFixed(1), bestMs.toFixed(1)])
    found.set(name, { what: 'PyIceberg', version: answer.version, value: bestMs })
  }
  console.log('')
  return found
}
