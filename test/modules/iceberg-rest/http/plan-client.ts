import type { DataFile } from '../../../../src/core/file/data-file.ts'
import { encodeSingleValue } from '../../../../src/core/value/single-value.ts'
import type { TestService } from '../../../http/harness.ts'
import { madeFile } from './made-files.ts'
import { type Json, must, type RestAnswer, rest } from './rest-client.ts'

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'day', required: false, type: 'date' },
    { id: 3, name: 'ratio', required: false, type: 'double' },
    { id: 4, name: 'key', required: false, type: 'binary' },
  ],
}
export const SPEC = {
  fields: [
    { 'source-id': 2, transform: 'identity', name: 'day' },
    { 'source-id': 3, transform: 'identity', name: 'ratio' },
    { 'source-id': 4, transform: 'identity', name: 'key' },
  ],
}

export interface Planned {
  readonly tasks: readonly Json[]
  readonly pages: readonly Json[]
}

export class PlanClient {
  readonly #service: TestService

  constructor(service: TestService) {
    this.#service = service
  }

  /** Returns its UUID. */
  async makeTable(name: string, spec?: object): Promise<string> {
    const json = { name, schema: SCHEMA, ...(spec === undefined ? {} : { 'partition-spec': spec }) }
    const made = await must(rest(this.#service, '/namespaces/sky/tables', { json }))
    return made.metadata['table-uuid']
  }

  ask(table: string, json: object): Promise<RestAnswer> {
    return rest(this.#service, `/namespaces/sky/tables/${table}/plan`, { json })
  }

  fetchTasks(table: string, planTask: unknown): Promise<RestAnswer> {
    const json = { 'plan-task': planTask }
    return rest(this.#service, `/namespaces/sky/tables/${table}/tasks`, { json })
  }

  /** All pages, as a client follows them. */
  async plan(table: string, json: object = {}): Promise<Planned> {
    const first = await must(this.ask(table, json))
    expect(first).toMatchObject({ status: 'completed', 'plan-id': expect.any(String) })
    return this.follow(table, first)
  }

  async follow(table: string, first: Json): Promise<Planned> {
    const pages: Json[] = [first]
    const pending: string[] = [...(first['plan-tasks'] ?? [])]
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const page = await must(this.fetchTasks(table, next))
      pages.push(page)
      pending.push(...(page['plan-tasks'] ?? []))
    }
    return { tasks: pages.flatMap((page) => page['file-scan-tasks']), pages }
  }
}

export function pathsOf({ tasks }: Planned): readonly string[] {
  return tasks.map((task) => task['data-file']['file-path'].replace('file:///nowhere/', '')).sort()
}

const long = (value: number) => encodeSingleValue({ kind: 'long' }, BigInt(value))

export function numbered(index: number, more: Partial<DataFile> = {}): DataFile {
  return madeFile(`part-${String(index).padStart(6, '0')}`, {
    lowerBounds: new Map([[1, long(index * 10)]]),
    upperBounds: new Map([[1, long(index * 10 + 9)]]),
    valueCounts: new Map([[1, 10]]),
    nullValueCounts: new Map([[1, 0]]),
    ...more,
  })
}
