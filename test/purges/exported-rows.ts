import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'

/** Rows in a file: half of them are archived, with others of their files written anew. */
const ROWS = 10
const ANSWER_MS_MAX = 60_000
const SETTLE_MS_MAX = 180_000

interface Reply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: answers of the public API, as any client sees them
  readonly body: any
}

/** What became of rows, each of which has a number of its own. */
export interface Faults {
  /** Acknowledged, and neither in the table nor archived. */
  readonly lost: readonly number[]
  /** More than once in the table and the archive together. */
  readonly doubled: readonly number[]
  /** In the table though they were archived, or in the archive though they were not meant. */
  readonly misplaced: readonly number[]
  /** In the archived files and not in the table of the archive, or the other way round. */
  readonly different: readonly number[]
}

/**
 * A table that is written to, and whose negative numbers are archived by runs of an export, beside
 * a storm of purges that clones both tables and shares their files.
 */
export class ExportedRows {
  static readonly TABLES = ['exported', 'archived']
  readonly #urls: () => readonly string[]
  readonly #written = new Set<number>()
  readonly #paths: string[] = []
  #next = 1
  /** Runs that archived something, and uploads that were acknowledged. */
  readonly counts = { exported: 0, uploaded: 0 }

  constructor(urls: () => readonly string[]) {
    this.#urls = urls
  }

  readonly paths = (): readonly string[] => this.#paths.slice(-20)

  async prepare(home: string): Promise<void> {
    const folder = join(home, 'exports', 'out')
    await mkdir(folder, { recursive: true })
    const task = { source: 'moraine', table: 'exported', where: 'n < 0', archive_to: 'archived' }
    await writeFile(join(folder, 'task.json'), JSON.stringify(task))
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    for (const name of ExportedRows.TABLES) {
      const { status, body } = await this.#send('/v1/tables', JSON.stringify({ name, schema }))
      if (status !== 201) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`)
    }
  }

  /** Writes and exports until it is over. */
  async run(isOver: () => boolean, ready: () => Promise<void>): Promise<void> {
    const loop = async (step: () => Promise<void>) => {
      while (!isOver()) {
        await ready()
        await step()
      }
    }
    await Promise.all([loop(() => this.#upload()), loop(async () => void (await this.#export()))])
  }

  async #upload(): Promise<void> {
    const numbers = Array.from({ length: ROWS }, (_, i) => {
      const n = this.#next + i
      return n % 2 === 0 ? n : -n
    })
    this.#next += ROWS
    const rows = numbers.map((n) => `{"n":${n}}\n`).join('')
    const path = '/v1/tables/exported/files'
    const { status, body } = await this.#send(path, rows, 'application/x-ndjson')
    if (status !== 201) return
    this.counts.uploaded++
    for (const n of numbers) this.#written.add(n)
    for (const file of body.files) this.#paths.push(file.path)
  }

  async #export(): Promise<number> {
    const { status, body } = await this.#send('/v1/exports/out/runs', '{}', undefined, 'wait=60')
    if (status === 200 && body.result?.outcome === 'exported') this.counts.exported++
    return status
  }

  /** What is under way comes to its end first. */
  async findFaults(): Promise<Faults> {
    const beganMs = performance.now()
    while ((await this.#export()) !== 200) {
      if (performance.now() > beganMs + SETTLE_MS_MAX) throw new Error('the export does not end')
      await sleep(500)
    }
    const [left, archived] = await Promise.all(ExportedRows.TABLES.map((name) => this.#rows(name)))
    if (left === undefined || archived === undefined) throw new Error('no tables')
    const files = await this.#archivedFiles()
    const all = new Set([...left, ...archived])
    return {
      lost: [...this.#written].filter((n) => !all.has(n)),
      doubled: [...repeated([...left, ...archived]), ...repeated(files)],
      misplaced: [...left.filter((n) => n < 0), ...archived.filter((n) => n >= 0)],
      different: [...notIn(files, archived), ...notIn(archived, files)],
    }
  }

  async #rows(table: string): Promise<number[]> {
    return numbersOf(await this.#download(`/v1/tables/${table}/dump?format=csv`))
  }

  async #archivedFiles(): Promise<number[]> {
    const numbers: number[] = []
    for (let token = ''; ; ) {
      const path = `/v1/exports/out/files?page_size=100${token && `&page_token=${token}`}`
      const { body } = await this.#send(path)
      for (const { url } of body.files) numbers.push(...numbersOf(await this.#download(url)))
      if (body.next_page_token === null) return numbers
      token = body.next_page_token
    }
  }

  async #download(path: string): Promise<string> {
    const response = await fetch(`${this.#urls()[0]}${path}`)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    const bytes = Buffer.from(await response.arrayBuffer())
    return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  }

  async #send(
    path: string,
    body?: string,
    type = 'application/json',
    prefer?: string,
  ): Promise<Reply> {
    const urls = this.#urls()
    const url = urls[Math.floor(Math.random() * urls.length)]
    try {
      const response = await fetch(url + path, {
        ...(body !== undefined && { method: 'POST', body }),
        headers: { 'content-type': type, ...(prefer !== undefined && { prefer }) },
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      })
      return { status: response.status, body: await response.json() }
    } catch {
      // The process was killed.
      return { status: 0, body: undefined }
    }
  }
}

function numbersOf(csv: string): number[] {
  return csv.trim().split('\n').slice(1).map(Number)
}

function notIn(numbers: readonly number[], others: readonly number[]): readonly number[] {
  const known = new Set(others)
  return numbers.filter((n) => !known.has(n))
}

function repeated(numbers: readonly number[]): readonly number[] {
  const seen = new Set<number>()
  return numbers.filter((n) => seen.size === seen.add(n).size)
}
