import { printRow } from '../machine.ts'
import type { Peer, Report } from '../report.ts'
import { askPythonPeer } from './python-peer.ts'

export interface PlanRequest {
  readonly metadataLocation: string
  /** Runs after the first; the best of them counts. */
  readonly rounds: number
  /** PyIceberg's filter by the name of the load; an empty one selects all files. */
  readonly filters: Readonly<Record<string, string>>
}

/**
 * Plans of the same table by its files, without a service, as an engine makes them: ms by the
 * load's name.
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
