import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { IS_QUICK, type Peer, type Report } from '../report.ts'
import { askPythonPeer } from './python-peer.ts'

const SECONDS = IS_QUICK ? 1 : 4

interface Rate {
  readonly perSecond: number
  readonly conflictsPerSecond: number
}

export interface CommitPeers {
  readonly alone?: Peer
  readonly together?: Peer
}

interface Place {
  readonly home: string
  readonly template: string
}

/** The same load by libraries that commit themselves: each commit adds one file to one table. */
export async function measureCommitPeers(report: Report, place: Place): Promise<CommitPeers> {
  const ducklake = await measureDuckLake(report, place)
  return (await measurePyIceberg(report, place)) ?? ducklake ?? {}
}

async function measurePyIceberg(report: Report, place: Place): Promise<CommitPeers | undefined> {
  const answer = await askPythonPeer<{
    version: string
    checked: Rate
    unchecked: Rate
    fourProcesses: Rate
  }>(report, {
    what: 'peer: PyIceberg with its SQL catalog',
    environment: 'pyiceberg',
    script: 'pyiceberg_commits.py',
    request: { ...folderOf(place, 'pyiceberg'), seconds: SECONDS },
  })
  if (answer === undefined) return undefined
  const { version, checked, unchecked, fourProcesses } = answer
  const name = `peer: PyIceberg ${version}, SQL catalog on SQLite, files not synced`
  tell(report, `${name}, 1 process, duplicates checked as here`, checked)
  tell(report, `${name}, 1 process, duplicates unchecked`, unchecked)
  tell(report, `${name}, 4 processes, duplicates unchecked`, fourProcesses)
  const what = 'PyIceberg, SQL catalog, duplicates unchecked'
  return {
    alone: { what: `${what}, 1 process`, version, value: unchecked.perSecond },
    together: { what: `${what}, 4 processes`, version, value: fourProcesses.perSecond },
  }
}

async function measureDuckLake(report: Report, place: Place): Promise<CommitPeers | undefined> {
  const answer = await askPythonPeer<{ version: string; one: Rate; eight: Rate }>(report, {
    what: 'peer: DuckLake',
    environment: 'ducklake',
    script: 'ducklake_commits.py',
    request: { ...folderOf(place, 'ducklake'), seconds: SECONDS },
  })
  if (answer === undefined) return undefined
  const { version, one, eight } = answer
  const name = `peer: DuckLake ${version}, DuckDB as catalog, synced, duplicates unchecked`
  tell(report, `${name}, 1 thread`, one)
  tell(report, `${name}, 8 threads`, eight)
  return {
    alone: { what: 'DuckLake, 1 thread', version, value: one.perSecond },
    together: { what: 'DuckLake, 8 threads', version, value: eight.perSecond },
  }
}

function folderOf({ home, template }: Place, name: string): Place {
  const folder = join(home, `peer-${name}`)
  mkdirSync(folder)
  return { home: folder, template }
}

function tell(report: Report, what: string, { perSecond, conflictsPerSecond }: Rate): void {
  const conflicts = conflictsPerSecond.toFixed(1)
  console.log(`${what}: ${perSecond.toFixed(1)} commits/s, ${conflicts} conflicts/s`)
  report.figure({ what, value: perSecond, unit: '/s' })
}
