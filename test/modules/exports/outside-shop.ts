import { mkdir, mkdtemp, realpath, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from './export-harness.ts'

/** Services in one home, and a folder outside of it that they archive to. */
export class OutsideShop {
  readonly folder: string
  readonly home: string
  readonly archive: string
  readonly #services: TestService[] = []

  private constructor(folder: string) {
    this.folder = folder
    this.home = join(folder, 'home')
    this.archive = join(folder, 'archive')
  }

  static async open(): Promise<OutsideShop> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-places-')))
    const shop = new OutsideShop(folder)
    await mkdir(shop.archive)
    return shop
  }

  async start(
    environment: Record<string, string> = { EXPORT_PATH: this.archive },
  ): Promise<TestService> {
    const service = await startTestService({ home: this.home, environment })
    this.#services.push(service)
    return service
  }

  /** Two rows of a table, and a task that archives them. */
  async makeTask(service: TestService, more: object = {}): Promise<void> {
    const schema = { columns: [{ name: 'id', type: 'int' }] }
    await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
    await addRows(service, '1\n2')
    const task = { source: 'moraine', table: 's.t', where: 'true', ...more }
    await writeTask(join(this.home, 'exports'), 't', { 'task.json': task })
  }

  /** As a disk that is not mounted: an empty folder is in its place. */
  async unmount(): Promise<void> {
    await rename(this.archive, `${this.archive}-away`)
    await mkdir(this.archive)
  }

  async mount(): Promise<void> {
    await rm(this.archive, { recursive: true })
    await rename(`${this.archive}-away`, this.archive)
  }

  async close(): Promise<void> {
    for (const service of this.#services) await service.stop()
    await rm(this.folder, { recursive: true })
  }
}

export async function addRows(service: TestService, rows: string): Promise<void> {
  const headers = { 'Content-Type': 'text/csv' }
  const sent = { method: 'POST', headers, body: `id\n${rows}\n` }
  expect((await fetch(`${service.url}/v1/tables/s.t/files`, sent)).status).toBe(201)
}

export async function rowsLeft(service: TestService): Promise<number> {
  return (await must(ask(service, '/v1/tables/s.t'))).totals.records
}

export async function filesOf(service: TestService) {
  return (await must(ask(service, '/v1/exports/t/files'))).files
}
