import { startProgram } from './bench-service.ts'
import { runLoad } from './load.ts'
import { IS_QUICK } from './report.ts'

const LIMIT_SECONDS = IS_QUICK ? 0.5 : 2
const SMALL_JSON = JSON.stringify({ files: [{ path: '/lake/some-file-of-a-table.parquet' }] })

/** Requests per second that Express answers without work, to the client that loads the service too. */
export interface HttpLimits {
  readonly get1: number
  readonly get64: number
  readonly post1: number
  readonly post64: number
}

export async function measureHttpLimits(): Promise<HttpLimits> {
  const bare = await startProgram('bench/bare-express.ts')
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
