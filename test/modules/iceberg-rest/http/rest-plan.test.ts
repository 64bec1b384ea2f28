import { encodeSingleValue } from '../../../../src/core/value/single-value.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { commitFiles, commitManifest, madeFile } from './made-files.ts'
import { numbered, PlanClient, pathsOf, SPEC } from './plan-client.ts'
import { type Json, must, refused, rest } from './rest-client.ts'

let service: TestService
let client: PlanClient
beforeAll(async () => {
  service = await startTestService({ allowedLocations: ['/nowhere'] })
  client = new PlanClient(service)
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

describe('a plan', () => {
  let uuid: string
  beforeAll(async () => {
    uuid = await client.makeTable('stars')
    await commitFiles(service.deps, uuid, { added: [0, 1, 2, 3].map((i) => numbered(i)) })
  })

  test('has every file of the newest snapshot, in one request', async () => {
    const answer = await must(client.ask('stars', {}))
    expect(answer['plan-tasks']).toBeUndefined()
    expect(answer['delete-files']).toBeUndefined()
    expect(answer['file-scan-tasks'][0]).toEqual({
      'data-file': {
        'spec-id': 0,
        content: 'data',
        'file-path': 'file:///nowhere/part-000000',
        'file-format': 'parquet',
        partition: [],
        'file-size-in-bytes': 1000,
        'record-count': 10,
      },
      'residual-filter': true,
    })
    expect(answer['file-scan-tasks']).toHaveLength(4)
  })

  test('drops files by an expression, and hands it back as what is left to filter', async () => {
    const filter = {
      type: 'and',
      left: { type: 'gt-eq', term: 'id', value: 10 },
      right: { type: 'not', child: { type: 'gt', term: 'id', value: 25 } },
    }
    const planned = await client.plan('stars', { filter })
    expect(pathsOf(planned)).toEqual(['part-000001', 'part-000002'])
    expect(planned.tasks[0]['residual-filter']).toEqual(filter)
  })

  test('has statistics of the columns that are asked for, bounds in hexadecimal', async () => {
    const { tasks } = await client.plan('stars', {
      'stats-fields': ['id', 'ratio'],
      filter: { type: 'eq', term: 'id', value: 31 },
    })
    expect(tasks[0]['data-file']).toMatchObject({
      'value-counts': { keys: [1], values: [10] },
      'null-value-counts': { keys: [1], values: [0] },
      'lower-bounds': { keys: [1], values: ['1E00000000000000'] },
      'upper-bounds': { keys: [1], values: ['2700000000000000'] },
    })
  })

  test('matches names without case when asked to', async () => {
    const filter = { type: 'eq', term: 'ID', value: 31 }
    expect(pathsOf(await client.plan('stars', { filter, 'case-sensitive': false }))).toHaveLength(1)
    expect((await refused(client.ask('stars', { filter })))[0]).toBe(400)
  })

  test('by its id is the same again, and can be cancelled at any time', async () => {
    const { 'plan-id': id, ...first } = await must(
      client.ask('stars', { filter: { type: 'lt', term: 'id', value: 20 } }),
    )
    const path = `/namespaces/sky/tables/stars/plan/${id}`
    expect(await must(rest(service, path))).toEqual(first)
    await must(rest(service, path, { method: 'DELETE' }), 204)
    expect(await must(rest(service, path))).toEqual(first)
  })

  test('of a table without a snapshot is empty', async () => {
    await client.makeTable('void')
    const answer = await must(client.ask('void', { 'min-rows-requested': 5, select: ['id'] }))
    expect(answer['file-scan-tasks']).toEqual([])
    expect(
      await must(rest(service, '/namespaces/sky/tables/void/plan', { method: 'POST' })),
    ).toEqual(answer)
  })

  test.each<[string, object, number, RegExp]>([
    ['an unknown snapshot', { 'snapshot-id': 5 }, 400, /Cannot find snapshot with ID 5/],
    ['a start without an end', { 'start-snapshot-id': 5 }, 400, /Invalid incremental scan/],
    ['an end without a start', { 'end-snapshot-id': 5 }, 400, /Invalid incremental scan/],
    [
      'a snapshot and a range',
      { 'snapshot-id': 5, 'start-snapshot-id': 1, 'end-snapshot-id': 2 },
      400,
      /cannot provide both/,
    ],
    ['a negative row count', { 'min-rows-requested': -1 }, 400, /negative/],
    ['an unknown column', { select: ['nix'] }, 400, /Cannot find field "nix"/],
    ['unknown statistics', { 'stats-fields': ['nix'] }, 400, /Cannot find field "nix"/],
    ['a filter that is text', { filter: 'id = 1' }, 400, /Invalid filter at \$/],
    ['a filter of no type', { filter: { type: 'like' } }, 400, /is not a type of expression/],
    ['a filter on no column', { filter: { type: 'is-null', term: 'x' } }, 400, /Cannot find field/],
    ['a rounded id', { 'snapshot-id': 1.5 }, 400, /expected an integer/],
    ['a list', [], 400, /expected an object/],
  ])('with %s is refused', async (_, json, status, message) => {
    const [actual, type, text] = await refused(client.ask('stars', json))
    expect([actual, type]).toEqual([status, 'BadRequestException'])
    expect(text).toMatch(message)
  })

  test('of no table is a 404 that says so', async () => {
    expect(await refused(client.ask('nix', {}))).toEqual([
      404,
      'NoSuchTableException',
      'Table does not exist: sky.nix',
    ])
  })

  test('takes a filter of many parts within each other', async () => {
    let filter: object = { type: 'eq', term: 'id', value: 0 }
    for (let i = 1; i < 300; i++) {
      const right = { type: 'eq', term: 'id', value: i * 1000 }
      filter = { type: 'or', left: filter, right }
    }
    expect(pathsOf(await client.plan('stars', { filter }))).toEqual(['part-000000'])
  })
})

describe('partition values', () => {
  test('are in the forms that Iceberg’s clients read, and prune', async () => {
    const uuid = await client.makeTable('parted', SPEC)
    const partition = [19_799, 2, Uint8Array.of(0xab, 0x01)]
    const added = [madeFile('a', { partition }), madeFile('b', { partition: [null, null, null] })]
    await commitFiles(service.deps, uuid, { added })
    const { tasks, pages } = await client.plan('parted', {
      filter: { type: 'eq', term: 'day', value: '2024-03-17' },
    })
    expect(tasks.map((task) => task['data-file'].partition)).toEqual([['2024-03-17', 2, 'AB01']])
    expect(pages).toHaveLength(1)
    const answer = await client.ask('parted', { filter: { type: 'is-null', term: 'day' } })
    expect(answer.text).toContain('"partition":[null,null,null]')
    // Java takes `2` for no floating-point number.
    const first = await client.ask('parted', { filter: { type: 'not-null', term: 'day' } })
    expect(first.text).toContain('"partition":["2024-03-17",2.0,"AB01"]')
  })
})

describe('delete files', () => {
  let uuid: string
  beforeAll(async () => {
    uuid = await client.makeTable('deleted')
    await commitFiles(service.deps, uuid, { added: [0, 1, 2].map((i) => numbered(i)) })
    const path = (index: number) => numbered(index).path
    const bounds = (text: string) =>
      new Map([[2147483546, encodeSingleValue({ kind: 'string' }, text)]])
    await commitManifest(service.deps, uuid, {
      files: [
        madeFile('everywhere', { content: 'position-deletes' }),
        madeFile('of-0', { content: 'position-deletes', referencedDataFile: path(0) }),
        madeFile('equal', { content: 'equality-deletes', equalityIds: [1] }),
        madeFile('about-2', {
          content: 'position-deletes',
          lowerBounds: bounds(path(2)),
          upperBounds: bounds(path(2)),
        }),
        madeFile('vector', {
          content: 'position-deletes',
          format: 'puffin',
          referencedDataFile: path(1),
          contentOffset: 4,
          contentSizeBytes: 40,
        }),
      ],
    })
    await commitFiles(service.deps, uuid, { added: [numbered(9)] })
  })

  test('are listed once, and each task refers to those that apply to its file', async () => {
    const { pages } = await client.plan('deleted')
    const [answer] = pages
    const deletes = answer['delete-files'].map((file: Json) =>
      file['file-path'].replace('file:///nowhere/', ''),
    )
    expect([...deletes].sort()).toEqual(['about-2', 'equal', 'everywhere', 'of-0', 'vector'])
    const byFile = Object.fromEntries(
      answer['file-scan-tasks'].map((task: Json) => [
        task['data-file']['file-path'].slice(-1),
        task['delete-file-references']?.map((index: number) => deletes[index]).sort(),
      ]),
    )
    expect(byFile).toEqual({
      0: ['equal', 'everywhere', 'of-0'],
      // A vector stands for all position deletes of its file.
      1: ['equal', 'vector'],
      2: ['about-2', 'equal', 'everywhere'],
      9: undefined,
    })
    expect(answer['delete-files'][deletes.indexOf('vector')]).toMatchObject({
      content: 'position-deletes',
      'file-format': 'puffin',
      'referenced-data-file': numbered(1).path,
      'content-offset': 4,
      'content-size-in-bytes': 40,
    })
    expect(answer['delete-files'][deletes.indexOf('equal')]).toMatchObject({ 'equality-ids': [1] })
  })

  test('of a snapshot before them do not apply', async () => {
    const snapshots = await service.deps.catalog.snapshots.list(uuid)
    const { pages, tasks } = await client.plan('deleted', {
      'snapshot-id': snapshots[0]?.snapshotId,
    })
    expect(tasks).toHaveLength(3)
    expect(pages[0]['delete-files']).toBeUndefined()
  })
})

describe('an incremental plan', () => {
  let ids: bigint[]
  beforeAll(async () => {
    const uuid = await client.makeTable('growing')
    const append = async (...indexes: number[]) => {
      const added = indexes.map((i) => numbered(i))
      return (await commitFiles(service.deps, uuid, { added })).snapshotId
    }
    ids = [await append(0), await append(1), await append(2, 3)]
    ids.push(
      (
        await commitManifest(service.deps, uuid, {
          files: [numbered(50)],
          content: 'data',
          operation: 'replace',
        })
      ).snapshotId,
    )
    // Enough small manifests to be merged: files that were there become existing entries.
    for (let i = 4; i < 16; i++) ids.push(await append(i))
    const removal = { removed: [numbered(0).path] }
    ids.push((await commitFiles(service.deps, uuid, removal)).snapshotId)
    ids.push(await append(20))
  })

  const range = (start: number, end: number) => ({
    'start-snapshot-id': ids[start],
    'end-snapshot-id': ids[end],
  })

  test('has the files that were appended after the start, up to the end', async () => {
    expect(pathsOf(await client.plan('growing', range(0, 2)))).toEqual(
      [1, 2, 3].map((i) => `part-00000${i}`),
    )
    expect(pathsOf(await client.plan('growing', range(1, 1)))).toEqual([])
  })

  test('passes over compactions and merged manifests', async () => {
    const planned = await client.plan('growing', range(1, 15))
    expect(pathsOf(planned)).toEqual(
      [2, 3, ...Array.from({ length: 12 }, (_, i) => i + 4)].map(
        (i) => `part-${String(i).padStart(6, '0')}`,
      ),
    )
  })

  test('is pruned, too', async () => {
    const filter = { type: 'eq', term: 'id', value: 25 }
    expect(pathsOf(await client.plan('growing', { ...range(0, 15), filter }))).toEqual([
      'part-000002',
    ])
  })

  test('over removals and overwrites has what was appended, as Java plans it', async () => {
    const appended = [...Array.from({ length: 15 }, (_, i) => i + 1), 20]
    expect(pathsOf(await client.plan('growing', range(0, 17)))).toEqual(
      appended.map((i) => `part-${String(i).padStart(6, '0')}`),
    )
    expect(pathsOf(await client.plan('growing', range(15, 16)))).toEqual([])
    expect(pathsOf(await client.plan('growing', range(16, 17)))).toEqual(['part-000020'])
    const uuid = await client.makeTable('replaced')
    const first = await commitFiles(service.deps, uuid, { added: [numbered(1)] })
    const change = { added: [numbered(2)], removed: [numbered(1).path] }
    const overwrite = await commitFiles(service.deps, uuid, change)
    const last = await commitFiles(service.deps, uuid, { added: [numbered(3)] })
    const between = {
      'start-snapshot-id': first.snapshotId,
      'end-snapshot-id': last.snapshotId,
    }
    expect(overwrite.operation).toBe('overwrite')
    expect(pathsOf(await client.plan('replaced', between))).toEqual(['part-000003'])
  })

  test('that goes backwards is refused', async () => {
    const [status, , message] = await refused(client.ask('growing', range(2, 1)))
    expect([status, message]).toEqual([400, expect.stringMatching(/is not a parent ancestor/)])
  })
})
