import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

/** Whether the system has `/proc`, as Linux does. */
export const HAS_PROC = existsSync('/proc/self/stat')

/** Ids of the processes that `parent` started and that have not ended. */
export async function childrenOf(parent: number): Promise<readonly number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(ids.map(parentOf))
  return ids.filter((_, i) => parents[i] === parent)
}

async function parentOf(id: number): Promise<number | undefined> {
  const stat = await statOf(id)
  // `id (name) state parent ...`: the name may hold anything.
  const [state, parent] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === undefined || state === 'Z' ? undefined : Number(parent)
}

async function statOf(id: number): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${id}/stat`, 'utf8')
  } catch {
    return undefined
  }
}

export async function isRunning(id: number): Promise<boolean> {
  return (await parentOf(id)) !== undefined
}

/** Asks again and again, for ten seconds at most. */
export async function eventually(claim: () => Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < 400; i++) {
    if (await claim()) return true
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return false
}
