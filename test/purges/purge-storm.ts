import { existsSync } from 'node:fs'

/** Clients that upload, share, clone, drop and purge the same files at once, in any spelling. */

export interface StormSetting {
  /** Addresses of the processes that run now; any may answer. */
  urls(): readonly string[]
  readonly bytes: Uint8Array
  readonly clients: number
  /** Processes die in between: requests to them have no answer. */
  readonly hasKills: boolean
  /** Asked with what was done so far. */
  isOver(counts: StormResult['counts']): boolean
  /** Resolves when somebody may answer. */
  readonly ready?: () => Promise<void>
  /** Tables of another storm to clone, and files that they name, to add to tables of this one. */
  readonly others?: { readonly tables: readonly string[]; paths(): readonly string[] }
  /** How many tables it makes and clones: fewer clients meet more often in few. */
  readonly tables?: number
  /** Whether every drop purges. */
  readonly purgesAll?: boolean
  /** What `bytes` has; `n`, a long, when absent. */
  readonly columns?: readonly { readonly name: string; readonly type: string }[]
}

export interface StormResult {
  /** By operation and status. */
  readonly counts: Record<string, number>
  /** Answers that no client should have got. */
  readonly surprises: readonly Surprise[]
}

/** An answer that no client should have got, with all that was asked. */
export interface Surprise {
  readonly asked: string
  readonly url: string
  /** 0: none at all. */
  readonly status: number
  readonly body: Json
  /** Since the storm began. */
  readonly startedMs: number
  readonly tookMs: number
}

// biome-ignore lint/suspicious/noExplicitAny: answers of the public API, as any client sees them
type Json = any

interface Reply {
  readonly status: number
  readonly body: Json
}

const TABLES = Array.from({ length: 6 }, (_, i) => `t${i}`)
const CLONES = Array.from({ length: 3 }, (_, i) => `c${i}`)
const PATHS_MAX = 60
const FORESEEN = [200, 201, 204, 404, 409, 422, 503]
const ANSWER_MS_MAX = 30_000

/** Requests on what is there by chance. Statuses of 0 have no answer: a process was killed. */
class Client {
  readonly #setting: StormSetting
  readonly #paths: string[]
  readonly #tables: readonly string[]
  readonly #beganMs = performance.now()
  readonly counts: Record<string, number>
  readonly surprises: Surprise[]

  constructor(
    setting: StormSetting,
    shared: Pick<Client, 'counts' | 'surprises'>,
    paths: string[],
  ) {
    this.#setting = setting
    this.#paths = paths
    this.#tables = TABLES.slice(0, setting.tables)
    this.counts = shared.counts
    this.surprises = shared.surprises
  }

  async run(): Promise<void> {
    const steps = [
      ...[() => this.#upload(), () => this.#upload(), () => this.#add(), () => this.#add()],
      ...[() => this.#stage(), () => this.#clone(), () => this.#drop(), () => this.#drop()],
      ...[() => this.#remove(), () => this.#dump(), () => this.#read(), () => this.#query()],
    ]
    while (!this.#setting.isOver(this.counts)) {
      await this.#setting.ready?.()
      await (this.#paths.length === 0 ? this.#upload() : pick(steps)())
    }
  }

  async #upload(): Promise<void> {
    const table = pick(this.#tables)
    const { columns = [{ name: 'n', type: 'long' }] } = this.#setting
    await this.#ask('create', '/v1/tables', { json: { name: table, schema: { columns } } })
    const { body } = await this.#ask('upload', `/v1/tables/${table}/files`, {
      bytes: this.#setting.bytes,
    })
    for (const { path } of body?.files ?? []) this.#paths.push(path)
    if (this.#paths.length > PATHS_MAX) this.#paths.splice(0, this.#paths.length - PATHS_MAX)
  }

  async #add(): Promise<void> {
    const files = [{ path: this.#path() }]
    await this.#ask('add', `/v1/tables/${pick(this.#tables)}/files`, { json: { files } })
  }

  async #stage(): Promise<void> {
    const { body } = await this.#ask('start', '/v1/transactions/start', { json: {} })
    const { transaction_id } = body ?? {}
    if (transaction_id === undefined) return
    const json = { transaction_id, files: [{ path: this.#path() }] }
    await this.#ask('stage', `/v1/tables/${pick(this.#tables)}/files`, { json })
    const end = pick(['commit', 'commit', 'commit', 'abort'])
    await this.#ask(end, `/v1/transactions/${end}`, { json: { transaction_id } })
  }

  async #clone(): Promise<void> {
    const json = { name: pick(CLONES) }
    const sources = [...this.#tables, ...CLONES, ...(this.#setting.others?.tables ?? [])]
    await this.#ask('clone', `/v1/tables/${pick(sources)}/clone`, { json })
  }

  async #remove(): Promise<void> {
    const json = { files: [{ path: this.#path() }] }
    await this.#ask('remove', `/v1/tables/${pick(this.#tables)}/files/remove`, { json })
  }

  async #drop(): Promise<void> {
    const others = this.#setting.purgesAll === true ? [] : ['false']
    const purge = pick(['now', 'now', 'true', ...others])
    const table = pick([...this.#tables, ...CLONES])
    await this.#ask(`drop ${purge}`, `/v1/tables/${table}?purge=${purge}`, { method: 'DELETE' })
  }

  async #dump(): Promise<void> {
    // What is dropped or purged meanwhile ends in the middle.
    await this.#ask('dump', `/v1/tables/${pick([...this.#tables, ...CLONES])}/dump?format=csv`, {})
  }

  /** Whoever reads comes to an end, or finds no table. */
  async #read(): Promise<void> {
    await this.#ask('read', `/v1/tables/${pick([...this.#tables, ...CLONES])}/rows?limit=5`, {})
  }

  async #query(): Promise<void> {
    const sql = `SELECT count(*) FROM ${pick([...this.#tables, ...CLONES])}`
    await this.#ask('query', '/v1/query', { json: { sql } })
  }

  /** One that some table has or had, spelled in any way that the store takes. */
  #path(): string {
    const path = pick([...this.#paths, ...(this.#setting.others?.paths() ?? [])])
    const spelled = [path.replace('file:///', 'file:/'), path.replace('file://', '')]
    const folded = path.replace(/^(file:.*)\/([^/]+)$/, '$1/.//$2')
    return pick([path, ...spelled, folded, path.replace('s3://', 's3a://')])
  }

  async #ask(
    name: string,
    path: string,
    request: { readonly json?: unknown; readonly bytes?: Uint8Array; readonly method?: string },
  ): Promise<Reply> {
    const url = pick(this.#setting.urls())
    const startedMs = performance.now()
    const { status, body } = await send(url, path, request)
    const tookMs = Math.round(performance.now() - startedMs)
    const key = `${name} ${status}`
    this.counts[key] = (this.counts[key] ?? 0) + 1
    const wasKilled = status === 0 && this.#setting.hasKills
    // On a slow machine, what is asked takes so long that it is made a dataset.
    const isLater = name === 'query' && status === 202
    const isForeseen = wasKilled || isLater || FORESEEN.includes(status) || name === 'dump'
    if (!isForeseen) {
      const asked = `${request.method ?? 'send'} ${path} ${JSON.stringify(request.json ?? {})}`
      const sinceMs = Math.round(startedMs - this.#beganMs)
      this.surprises.push({ asked, url, status, body, startedMs: sinceMs, tookMs })
    }
    return { status, body }
  }
}

export async function stormPurges(setting: StormSetting): Promise<StormResult> {
  const shared: Pick<Client, 'counts' | 'surprises'> = { counts: {}, surprises: [] }
  const paths: string[] = []
  const clients = Array.from({ length: setting.clients }, () => new Client(setting, shared, paths))
  await Promise.all(clients.map((client) => client.run()))
  return shared
}

/** Kinds of work that a storm was to do, by operation and status, and has not. */
export function neverDone(
  some: readonly string[],
  counts: StormResult['counts'],
): readonly string[] {
  return some.filter((key) => (counts[key] ?? 0) === 0)
}

/** However slow the machine is, each kind of work is done: storms go on for so long until then. */
export function endsWithSome(
  some: readonly string[],
  isOver: () => boolean,
  patienceMs = 120_000,
): StormSetting['isOver'] {
  let latest = Number.POSITIVE_INFINITY
  return (counts) => {
    if (!isOver()) return false
    latest = Math.min(latest, performance.now() + patienceMs)
    return neverDone(some, counts).length === 0 || performance.now() > latest
  }
}

export interface Loss {
  readonly table: string
  readonly path: string
  readonly what: 'gone' | 'twice' | 'unreadable'
}

/** Every table that this storm may have made. */
export const PURGED_TABLES = [...TABLES, ...CLONES]

/** Whether there is a file at a location. */
export type IsThere = (location: string) => Promise<boolean>

const isThereLocally: IsThere = async (location) => existsSync(localOf(location))

/** Files of living tables that are not there, or are in a table under two spellings. */
export async function findLosses(
  url: string,
  others: readonly string[] = [],
  isThere: IsThere = isThereLocally,
): Promise<{ losses: Loss[]; files: number }> {
  const losses: Loss[] = []
  let files = 0
  for (const table of [...PURGED_TABLES, ...others]) {
    const { status, body } = await send(url, `/v1/tables/${table}`, {})
    if (status === 404) continue
    if (status !== 200) losses.push({ table, path: JSON.stringify(body), what: 'unreadable' })
    const paths: string[] = (body?.data_files ?? []).map(({ path }: Json) => path)
    files += paths.length
    losses.push(...(await lostAmong(table, [...paths, await metadataOf(url, table)], isThere)))
  }
  return { losses, files }
}

async function lostAmong(
  table: string,
  paths: readonly string[],
  isThere: IsThere,
): Promise<Loss[]> {
  const areThere = await Promise.all(paths.map(isThere))
  const gone = paths.filter((_, i) => areThere[i] === false)
  const own = paths.map(localOf)
  const twice = own.filter((path, i) => own.indexOf(path) !== i)
  return [
    ...gone.map((path) => ({ table, path, what: 'gone' as const })),
    ...twice.map((path) => ({ table, path, what: 'twice' as const })),
  ]
}

async function metadataOf(url: string, table: string): Promise<string> {
  const { body } = await send(url, `/iceberg/v1/namespaces/default/tables/${table}`, {})
  return body?.['metadata-location'] ?? 'no metadata'
}

function localOf(location: string): string {
  return location.replace(/^file:\/*/, '/')
}

async function send(
  url: string,
  path: string,
  {
    json,
    bytes,
    method,
  }: { readonly json?: unknown; readonly bytes?: Uint8Array; readonly method?: string },
): Promise<Reply> {
  const body = json === undefined ? bytes : JSON.stringify(json)
  const type = json === undefined ? 'application/vnd.apache.parquet' : 'application/json'
  try {
    const response = await fetch(url + path, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      ...(body !== undefined && { body: body as string, headers: { 'content-type': type } }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : undefined }
  } catch (error) {
    return { status: 0, body: `${error} ${(error as Error).cause ?? ''}` }
  }
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)] as T
}
