import { callService } from './caller.ts'
import { Random } from './random.ts'
import type { Recorder } from './recorder.ts'
import { Client, type Place } from './storm-client.ts'

export const TABLES = ['a', 'b', 'c'] as const

/** What well-behaved clients may be refused for, however they race. */
export const FORESEEN_REFUSALS = [
  'commit-conflict',
  'CommitFailedException',
  'file-already-in-table',
  'file-not-in-table',
  'transaction-aborted',
  'transaction-committed',
]

export async function createTables(url: string): Promise<void> {
  for (const name of TABLES) {
    const json = { name, schema: { columns: [{ name: 'n', type: 'long' }] } }
    const { status, body } = await callService(`${url}/v1/tables`, { json })
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`)
  }
}

/** Clients that do one thing after the other, each from its own seed, until it is over. */
export async function storm(
  place: Place,
  recorder: Recorder,
  { seed, clients }: { seed: number; clients: number },
): Promise<void> {
  await Promise.all(
    Array.from({ length: clients }, (_, index) => {
      const random = new Random(seed + index)
      return new Client(`${seed}-${index}`, { place, recorder, random }).work()
    }),
  )
}
