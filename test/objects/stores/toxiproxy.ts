import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../free-port.ts'
import { findStoreProgram, killStore, whyNoStore } from './store-program.ts'

const PROGRAM = 'toxiproxy-server'
const READY_ATTEMPTS_MAX = 300

export const whyNoToxiproxy = whyNoStore(PROGRAM)

/** What a connection suffers from: see the README of toxiproxy. */
export interface Toxic {
  readonly type: 'latency' | 'limit_data' | 'reset_peer' | 'slicer' | 'timeout'
  /** To the store, or from it. */
  readonly stream: 'upstream' | 'downstream'
  /** The share of connections that suffer. */
  readonly toxicity: number
  readonly attributes: Readonly<Record<string, number>>
}

/** A network between a service and a store that can be poisoned. */
export interface Toxiproxy {
  readonly endpoint: string
  poison(toxic: Toxic): Promise<void>
  /** Ends every connection, and takes none. */
  close(): Promise<void>
  /** As if nothing had been. */
  heal(): Promise<void>
  stop(): Promise<void>
}

export async function openToxiproxy(store: string): Promise<Toxiproxy> {
  const program = findStoreProgram(PROGRAM)
  if (program === undefined) throw new Error(whyNoToxiproxy)
  const [control, port] = [await freePort(), await freePort()]
  const words = ['-host', '127.0.0.1', '-port', String(control)]
  const child = spawn(program, words, { stdio: 'ignore' })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const tell = async (path: string, json?: unknown) => {
    const body = json === undefined ? null : JSON.stringify(json)
    const response = await fetch(`http://127.0.0.1:${control}${path}`, { method: 'POST', body })
    if (!response.ok) throw new Error(`toxiproxy: ${response.status} ${await response.text()}`)
  }
  const proxy = { name: 'store', listen: `127.0.0.1:${port}`, upstream: new URL(store).host }
  await untilDone(() => tell('/proxies', { ...proxy, enabled: true }))
  let toxics = 0
  return {
    endpoint: `http://127.0.0.1:${port}`,
    poison: (toxic) => tell('/proxies/store/toxics', { ...toxic, name: `toxic-${++toxics}` }),
    close: () => tell('/proxies/store', { ...proxy, enabled: false }),
    heal: () => tell('/reset'),
    stop: async () => {
      process.off('exit', killAtExit)
      await killStore(child)
    },
  }
}

async function untilDone(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === READY_ATTEMPTS_MAX) throw error
    }
    await sleep(100)
  }
}
