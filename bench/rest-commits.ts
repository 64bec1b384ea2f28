import { parseExactJson, stringifyExactJson } from '../src/formats/json/exact-json.ts'
import type { Answer } from './client.ts'
import type { HttpConnection } from './http-connection.ts'
import { type LoadResult, runLoad } from './load.ts'
import { currentSnapshotIdOf, writeBenchSnapshot } from './rest-snapshot.ts'
import { makeTable, mustAsk, type RestServer } from './rest-table.ts'

export interface RestLoad {
  readonly what: 'properties' | 'append'
  readonly clients: number
  readonly tables: number
}

let tablesMade = 0

/**
 * Commits through REST as engines make them: the client writes its manifests, and starts again when
 * it lost the race.
 */
export async function measureRestCommits(server: RestServer, load: RestLoad): Promise<LoadResult> {
  const paths: string[] = []
  for (let i = 0; i < load.tables; i++) paths.push(await makeTable(server, `t${tablesMade++}`))
  const known = new Map<number, Answer>()
  const pathOf = (client: number) => paths[client % paths.length] as string
  let turn = 0
  const append = async (connection: HttpConnection, client: number): Promise<boolean> => {
    const path = pathOf(client)
    const metadata = known.get(client) ?? (await mustAsk(connection, { path })).metadata
    const body = stringifyExactJson(appendOf(metadata, BigInt(++turn)))
    const reply = await connection.ask({ method: 'POST', path, body })
    const isDone = isCommitted(reply.status)
    known.set(
      client,
      isDone
        ? (parseExactJson(reply.body.toString()) as Answer).metadata
        : (await mustAsk(connection, { path: `${path}?snapshots=refs` })).metadata,
    )
    return isDone
  }
  const setProperty = async (connection: HttpConnection, client: number): Promise<boolean> => {
    const body = JSON.stringify(propertyOf(client, ++turn))
    const { status } = await connection.ask({ method: 'POST', path: pathOf(client), body })
    return isCommitted(status)
  }
  return await runLoad({
    ...{ url: server.url, pid: server.pid, clients: load.clients },
    work: load.what === 'append' ? append : setProperty,
  })
}

/** 409 or, from the fixture, 5xx: another commit came first, and the client has to start again. */
function isCommitted(status: number): boolean {
  if (status < 300) return true
  if (status === 409 || status >= 500) return false
  throw new Error(`a commit ended with ${status}`)
}

function propertyOf(client: number, value: number): unknown {
  const updates = [{ action: 'set-properties', updates: { [`client-${client}`]: `${value}` } }]
  return { requirements: [], updates }
}

function appendOf(metadata: Answer, snapshotId: bigint): unknown {
  const snapshot = writeBenchSnapshot(metadata, snapshotId)
  const before = currentSnapshotIdOf(metadata)
  return {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': before }],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        ...{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' },
        'snapshot-id': snapshotId,
      },
    ],
  }
}
