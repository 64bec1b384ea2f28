import { linkSync } from 'node:fs'
import { join } from 'node:path'

// biome-ignore lint/suspicious/noExplicitAny: answers of the public API, as any client sees them
type Answer = any

export interface Acknowledged {
  readonly transactionId: string
  /** Table names; a transaction over two is in both logs or in none. */
  readonly tables: readonly string[]
  readonly path: string
}

/** What clients know of their commits: those acknowledged, and paths of those that may or may not have happened. */
export class StormRecord {
  readonly acknowledged: Acknowledged[] = []
  readonly submittedPaths = new Set<string>()
  readonly definiteRefusals: string[] = []
  requests = 0
}

export interface StormPlace {
  readonly url: string
  /** A Parquet file, and the folder where each commit gets a name of its own for it. */
  readonly template: string
  readonly folder: string
}

/** Clients that commit as fast as they can until the service is gone. */
export async function storm(
  place: StormPlace,
  record: StormRecord,
  { clients, isOver }: { clients: number; isOver: () => boolean },
): Promise<void> {
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (!isOver()) {
        try {
          await commitOnce(place, record, client)
        } catch (error) {
          if (error instanceof Refusal) record.definiteRefusals.push(error.message)
          else if (isOver()) return
        }
      }
    }),
  )
}

class Refusal extends Error {}

async function commitOnce(place: StormPlace, record: StormRecord, client: number): Promise<void> {
  const path = newFile(place, record)
  if (client % 4 === 0) return commitOverTwoTables(place, record, path)
  if (client % 4 === 1) return commitInSteps(place, record, path)
  const { transaction_id } = await post(place, '/v1/tables/first/files', { files: [{ path }] })
  record.acknowledged.push({ transactionId: transaction_id, tables: ['first'], path })
}

async function commitInSteps(place: StormPlace, record: StormRecord, path: string): Promise<void> {
  const { transaction_id } = await post(place, '/v1/transactions/start', {})
  await post(place, '/v1/tables/second/files', { transaction_id, files: [{ path }] })
  await post(place, '/v1/transactions/commit', { transaction_id })
  record.acknowledged.push({ transactionId: transaction_id, tables: ['second'], path })
}

async function commitOverTwoTables(
  place: StormPlace,
  record: StormRecord,
  path: string,
): Promise<void> {
  const { transaction_id } = await post(place, '/v1/transactions/start', {})
  await post(place, '/v1/tables/second/files', { transaction_id, files: [{ path }] })
  await post(place, '/v1/tables/first/files', { transaction_id, files: [{ path }] })
  await post(place, '/v1/transactions/commit', { transaction_id })
  record.acknowledged.push({ transactionId: transaction_id, tables: ['first', 'second'], path })
}

function newFile({ template, folder }: StormPlace, record: StormRecord): string {
  const path = join(folder, `f-${String(++record.requests).padStart(6, '0')}.parquet`)
  linkSync(template, path)
  record.submittedPaths.add(`file://${path}`)
  return path
}

async function post({ url }: StormPlace, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer: Answer = await response.json()
  if (!response.ok) throw new Refusal(`${response.status} ${JSON.stringify(answer)}`)
  return answer
}
