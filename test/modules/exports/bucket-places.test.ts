import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { recover } from '../../../src/modules/exports/run-job.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { openGcsStore } from '../../../src/objects/gcs/gcs-store.ts'
import { openLocalFile } from '../../../src/objects/local/local-file.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { openS3Store } from '../../../src/objects/s3/s3-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { type FaultyFront, openFaultyFront } from '../../objects/stores/faulty-front.ts'
import { startFakeGcs } from '../../objects/stores/gcs-server.ts'
import { startS3 } from '../../objects/stores/s3-server.ts'
import { whyNoStore } from '../../objects/stores/store-program.ts'
import { changedStore } from './changed-store.ts'
import { dyingStore, Killed } from './dying-store.ts'
import {
  archivedIds,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  TASKS_OF_T,
  type TestSource,
} from './export-runs.ts'

const ROWS = 20_000
const HOUR_MS = 3_600_000

type ClosedStore = ObjectStore & { close(): Promise<unknown> | undefined }

/** A server of a store. */
interface Bucket {
  readonly endpoint: string
  newRoot(): string
  open(root: string, endpoint: string): ClosedStore
  stop(): Promise<void>
}

async function startS3Bucket(): Promise<Bucket> {
  const server = await startS3('weed')
  const { region, readCredentials, writeCredentials } = server
  return {
    ...{ endpoint: server.endpoint, stop: server.stop },
    newRoot: () => `s3://${server.bucket}/${randomUUID()}`,
    open: (root, endpoint) =>
      openS3Store({
        ...{ writableRoots: [root], readableRoots: [], endpoint, region, openFile: openLocalFile },
        ...{ forcePathStyle: true, readCredentials, writeCredentials },
      }),
  }
}

async function startGcsBucket(): Promise<Bucket> {
  const server = await startFakeGcs()
  return {
    ...{ endpoint: server.endpoint, stop: server.stop },
    newRoot: () => `gs://${server.bucket}/${randomUUID()}`,
    open: (root, endpoint) =>
      openGcsStore({
        ...{ writableRoots: [root], readableRoots: [], endpoint, openFile: openLocalFile },
        ...{ readKeyFile: server.keyFile, writeKeyFile: server.keyFile },
      }),
  }
}

const xml = (status: number, code: string) => ({
  kind: 'answer' as const,
  status,
  body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
})
const json = (status: number, reason: string) => ({
  kind: 'answer' as const,
  status,
  body: JSON.stringify({ error: { code: status, message: reason, errors: [{ reason }] } }),
})

const STORES = [
  {
    store: 'S3',
    why: whyNoStore('weed'),
    startBucket: startS3Bucket,
    answered: xml,
    full: [
      ['atomic', 507, 'XMinioStorageFull'],
      ['snapshot', 403, 'AccessDenied'],
      ['keys', 403, 'QuotaExceeded'],
      ['batches', 507, 'InsufficientStorage'],
    ],
  },
  {
    store: 'Google Cloud Storage',
    why: whyNoStore('fake-gcs-server'),
    startBucket: startGcsBucket,
    answered: json,
    full: [
      ['atomic', 403, 'quotaExceeded'],
      ['snapshot', 403, 'accountDisabled'],
      ['keys', 403, 'forbidden'],
      ['batches', 507, 'insufficientStorage'],
    ],
  },
] as const

const MODES = {
  ...TASKS_OF_T,
  batches: { json: { mode: 'batches', table: 't', where: 'true', batch_rows: 8_000 } },
} as const

function taskOf(mode: keyof typeof MODES) {
  const { json, ...statements } = MODES[mode]
  return parseTask('t', { json: JSON.stringify(json), ...statements, changedAtMs: 0 })
}

describeWithPostgres('exports to buckets', () => {
  let opened: TestSource
  let source: pg.Client
  beforeAll(async () => {
    opened = await openTestSource()
    source = opened.client
  })
  afterAll(() => opened.close())

  const left = async () => Number((await source.query('select count(*) from t')).rows[0].count)

  /** Rows left and archived: together all that were written, each once. */
  async function everyRow(deps: ExportParts): Promise<void> {
    const ids = await archivedIds(deps)
    const { rows } = await source.query<{ id: number }>('select id from t')
    const all = [...ids, ...rows.map(({ id }) => id)]
    expect([all.length, new Set(all).size]).toEqual([ROWS, ROWS])
  }

  for (const { store: name, why, startBucket, full, answered } of STORES) {
    const describeHere = why === undefined ? describe : describe.skip
    describeHere(`${name}${why ?? ''}`, () => {
      let bucket: Bucket
      let front: FaultyFront
      let root: string
      let store: ClosedStore
      beforeAll(async () => {
        bucket = await startBucket()
      }, 60_000)
      afterAll(() => bucket.stop())
      beforeEach(async () => {
        front = await openFaultyFront(bucket.endpoint)
        root = bucket.newRoot()
        store = bucket.open(root, front.endpoint)
        await source.query(
          'drop table if exists t, moraine_exports; ' +
            'create table t (id int primary key, note text); ' +
            'insert into t select i, md5(i::text) || md5((-i)::text) ' +
            `from generate_series(1, ${ROWS}) i`,
        )
      })
      afterEach(async () => {
        await store.close()
        await front.close()
      })
      const depsOf = (objects: ObjectStore = store) =>
        exportParts({ objects, warehouse: root, source: sourceAt(opened.url) })
      const stagedIn = async () => {
        const found: string[] = []
        for await (const { location } of store.list(`${root}/.exports/.staged`)) {
          found.push(location)
        }
        return found
      }

      test.each(full)('%s: one that answers %i %s deletes nothing', async (mode, status, code) => {
        front.failAll(answered(status, code))
        await expect(exportOnce(depsOf(), taskOf(mode), runOf())).rejects.toThrow()
        front.failAll(undefined)
        expect(await left()).toBe(ROWS)
        await exportOnce(depsOf(), taskOf(mode), runOf())
        expect(await left()).toBe(0)
        await everyRow(depsOf())
        expect(await stagedIn()).toEqual([])
      })

      test('full just after the commit: the run is ended when there is room', async () => {
        const isNote = (location: string) => location.endsWith('.csv.json')
        const filling = changedStore(store, {
          putIfAbsent: async (location: string, bytes: Uint8Array) => {
            const outcome = await store.putIfAbsent(location, bytes)
            if (isNote(location)) front.failAll(answered(507, 'InsufficientStorage'))
            return outcome
          },
        })
        const run = runOf()
        await expect(exportOnce(depsOf(filling), taskOf('atomic'), run)).rejects.toThrow()
        expect(await left()).toBe(0)
        front.failAll(undefined)
        const notes = await depsOf().files.listNotes('t', run.jobId)
        expect(notes).toHaveLength(1)
        for (const note of notes) await settle(depsOf(), note, SIGNAL)
        await everyRow(depsOf())
      })

      const isStaged = (location: string) => /\/\.staged\/.*\.csv$/.test(location)
      const isNote = (location: string) => location.endsWith('.csv.json')
      const isReceipt = (location: string) => /\/t\/[^/]*\.csv\.gz\.json$/.test(location)
      test.each([
        ['before the rows are staged', 'putStreamIfAbsent', isStaged, false],
        ['after the rows are staged', 'putStreamIfAbsent', isStaged, true],
        ['before the note', 'putIfAbsent', isNote, false],
        ['after the note, before the commit', 'putIfAbsent', isNote, true],
        ['after the commit', 'putIfAbsent', isReceipt, false],
        ['before the file has its name', 'moveIfAbsent', isStaged, false],
        ['after the file has its name', 'moveIfAbsent', isStaged, true],
        ['before the note is gone', 'delete', isNote, false],
      ] as const)('killed %s: each row is there once', async (_, method, isIt, after) => {
        const run = runOf()
        const dying = depsOf(dyingStore(store, { method, isIt, after }))
        await expect(exportOnce(dying, taskOf('atomic'), run)).rejects.toThrow(Killed)
        const deps = depsOf()
        // The kill of a process is told by what is there; here its objects live on.
        const jobs = { find: async () => undefined } as never
        const ambient = { ...deps.ambient, nowMs: () => Date.now() + 2 * HOUR_MS }
        const log = { warn: (...told: unknown[]) => expect(told).toEqual([]) }
        const folder = new TaskFolder('/none')
        await recover({ ...deps, ambient, jobs, folder, log }, SIGNAL)
        await everyRow(deps)
        expect(await stagedIn()).toEqual([])
        await exportOnce(deps, taskOf('atomic'), runOf())
        expect(await left()).toBe(0)
        await everyRow(deps)
      })

      test('an answer that is lost after each write leaves each row once', async () => {
        for (const lost of ['/.staged/', '.csv.json', '.csv.gz.json', '.csv.gz']) {
          const isIt = ({ method, path }: { method: string; path: string }) =>
            method !== 'GET' && decodeURIComponent(path).includes(lost)
          front.fail(isIt, { kind: 'lost-answer' })
        }
        const run = runOf()
        await exportOnce(depsOf(), taskOf('batches'), run).catch(() => undefined)
        for (const note of await depsOf().files.listNotes('t', run.jobId)) {
          await settle(depsOf(), note, SIGNAL)
        }
        await exportOnce(depsOf(), taskOf('batches'), runOf())
        expect(await left()).toBe(0)
        await everyRow(depsOf())
      })
    })
  }
})
