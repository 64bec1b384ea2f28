import { type DuckDbEngineOptions, openDuckDbEngine } from './duckdb.ts'
import type { Engine } from './engine.ts'
import { reserveOn } from './job-watch.ts'

/** A job converts one data file. */
const CONVERSION_MS_MAX = 30 * 60 * 1000
/** A query that takes longer is ended. */
const QUERY_MS_MAX = 60_000
const QUEUE_MAX = 1_000

export interface EngineOverrides {
  readonly wrapEngine?: (engine: Engine) => Engine
  readonly engineJobTimeoutMs?: number
  readonly engineQueueMax?: number
}

export interface EnginesOptions
  extends Pick<DuckDbEngineOptions, 'processes' | 'memoryBytes' | 'temporaryFolder'> {
  readonly reserveBytesMax: number
  /** Given each that is opened, whatever fails afterwards. */
  add(engine: Engine): Engine
}

/** Children for conversions, and others for queries, so that neither wait for the others. */
export async function openEngines(
  { reserveBytesMax, add, ...options }: EnginesOptions,
  overrides: EngineOverrides,
): Promise<{ readonly engine: Engine; readonly queryEngine: Engine }> {
  const { wrapEngine = (engine) => engine, engineJobTimeoutMs, engineQueueMax } = overrides
  const freeBytesMin = await reserveOn(options.temporaryFolder, reserveBytesMax)
  const queueMax = engineQueueMax ?? QUEUE_MAX
  const open = async (msMax: number) => {
    const jobTimeoutMs = engineJobTimeoutMs ?? msMax
    return add(await openDuckDbEngine({ ...options, freeBytesMin, queueMax, jobTimeoutMs }))
  }
  const engine = await open(CONVERSION_MS_MAX)
  const queryEngine = await open(QUERY_MS_MAX)
  return { engine: wrapEngine(engine), queryEngine: wrapEngine(queryEngine) }
}
