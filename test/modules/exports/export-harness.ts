import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type pg from 'pg'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { openTestSource } from './export-runs.ts'
import { sendBytes } from './send-bytes.ts'

export interface ExportShop {
  readonly service: TestService
  readonly url: string
  readonly source: pg.Client
  /** Writes the files of a task. */
  task(name: string, files: Readonly<Record<string, unknown>>): Promise<void>
  /** Runs a task to its end by the address of the seed. */
  run(name: string): Promise<{ readonly status: number; readonly body: Answer }>
  files(name: string): Promise<readonly Answer[]>
  /** The rows of all files of the task, header left out, in the order of the files. */
  archived(name: string): Promise<readonly string[]>
  close(): Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: answers of the API
type Answer = any

/** A service beside a PostgreSQL of its own with an empty database. */
export async function openExportShop(
  /** What the service connects to in place of the source, as its setting has it. */
  sourcesAt: (url: string) => Promise<string> = async (url) => `default=${url}`,
): Promise<ExportShop> {
  const opened = await openTestSource()
  const { url, client: source } = opened
  const service = await startTestService({
    environment: { MORAINE_EXPORT_SOURCES: await sourcesAt(url) },
  })
  const files = async (name: string) =>
    (await must(ask(service, `/v1/exports/${name}/files`))).files
  return {
    service,
    url,
    source,
    files,
    task: (name, texts) => writeTask(join(service.home, 'exports'), name, texts),
    run: (name) => post(service, `/exports/${name}`, {}),
    archived: async (name) => {
      const rows: string[] = []
      for (const { url: path } of [...(await files(name))].reverse()) {
        rows.push(...linesOf(await sendBytes(`${service.url}${path}`)).slice(1))
      }
      return rows
    },
    close: async () => {
      await service.close()
      await opened.close()
    },
  }
}

/** As an engine does; a table of this version stays as it is. */
export async function upgradeTable(
  service: { readonly url: string },
  table: string,
  version: number,
): Promise<void> {
  const [namespace, name] = table.split('.')
  const updates = [{ action: 'upgrade-format-version', 'format-version': version }]
  const address = `/iceberg/v1/namespaces/${namespace}/tables/${name}`
  await must(post(service, address, { requirements: [], updates }))
}

export async function writeTask(
  folder: string,
  name: string,
  files: Readonly<Record<string, unknown>>,
): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await writeFile(join(folder, name, file), text)
  }
}

/** Lines of a file without line ends in its values. */
export function linesOf(bytes: Buffer): readonly string[] {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  const text = (isGzip ? gunzipSync(bytes) : bytes).toString()
  return text.split('\n').slice(0, -1)
}
