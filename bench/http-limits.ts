import { startProgram } from './bench-service.ts'
import { HttpConnection } from './http-connection.ts'
import { runLoad } from './load.ts'
import { IS_QUICK } from './report.ts'

const LIMIT_SECONDS = IS_QUICK ? 0.5 : 2
const STREAM_BYTES = 128 * 1024 * 1024
const SMALL_JSON = JSON.stringify({ files: [{ path: '/lake/some-file-of-a-table.parquet' }] })

/**
 * Requests per second that Express handles without work, from the client that also loads the
 * service.
 */
export interface HttpLimits {
  readonly get1: number
  readonly get64: number
  readonly post1: number
  readonly post64: number
}

export async function measureHttpLimits(): Promise<HttpLimits> {
  const bare = await startProgram('bench/bare-express-main.ts')
  const measure = async (method: 'GET' | 'POST', clients: number): Promise<number> => {
    const body = method === 'POST' ? { body: SMALL_JSON } : {}
    const { perSecond } = await runLoad({
      ...{ url: bare.url, pid: bare.pid, clients },
      ...{ seconds: LIMIT_SECONDS, warmUpSeconds: LIMIT_SECONDS / 2 },
      work: (connection) => connection.ask({ method, path: '/', ...body }),
    })
    return Math.round(perSecond)
  }
  const limits = {
    get1: await measure('GET', 1),
    get64: await measure('GET', 64),
    post1: await measure('POST', 1),
    post64: await measure('POST', 64),
  }
  await bare.stop()
  return limits
}

/**
 * MB/s of one download from bare Express to one client of ours, which keeps it in memory. Best of
 * three.
 */
export async function measureStream(): Promise<number> {
  const bare = await startProgram('bench/bare-express-main.ts')
  const connection = await HttpConnection.open(bare.url)
  const speeds: number[] = []
  for (let round = 0; round < 3; round++) {
    const begin = performance.now()
    const { body } = await connection.ask({ path: `/bytes/${STREAM_BYTES}` })
    speeds.push(body.length / 1e3 / (performance.now() - begin))
  }
  connection.close()
  await bare.stop()
  return Math.round(Math.max(...speeds))
}
