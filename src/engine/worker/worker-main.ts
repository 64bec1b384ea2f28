import { rmSync } from 'node:fs'
import type { Task, TaskRequest, TaskResult, WorkerReply } from '../protocol.ts'
import { runIngest } from './ingest/ingest-job.ts'
import { runQuery } from './query/query-job.ts'
import { runAnyExport } from './query/restricted-export.ts'
import { runParse, runSql } from './query/sql-job.ts'
import { runSplit } from './split/split-job.ts'
import { OutOfMemoryError, taskFailure } from './sql/failure.ts'
import { enterFolder } from './sql/kept-sessions.ts'

/**
 * Entry point of a child process: one task at a time, until the parent has ended. Its argument is
 * the parent's folder.
 */
const [, , parentFolder] = process.argv

/** They make their folder when they need it, which few do. */
const PLACING_THEMSELVES = new Set<Task['kind']>(['query', 'parse-sql', 'query-sql'])

process.on('message', (request: TaskRequest) => {
  void perform(request)
})

process.on('disconnect', abandon)
// The parent may have ended while this was loading.
if (process.connected) reply({ outcome: 'ready' })
else abandon()

/**
 * Removes the folder, since nobody else will. A running conversion has threads of its own, which
 * only a kill ends at once.
 */
function abandon(): void {
  try {
    if (parentFolder !== undefined) {
      rmSync(parentFolder, { recursive: true, force: true, maxRetries: 10 })
    }
  } finally {
    process.kill(process.pid, 'SIGKILL')
  }
}

async function perform(request: TaskRequest): Promise<void> {
  try {
    if (!PLACING_THEMSELVES.has(request.task.kind)) enterFolder(request.folder)
    const result = await run(request)
    reply({ outcome: 'done', result, residentBytes: residentBytes() })
  } catch (error) {
    const failure = taskFailure(error, pathOf(request.task), 'engine-failed')
    reply({
      outcome: 'failed',
      code: failure.code,
      detail: failure.message,
      facts: failure.facts,
      isOutOfMemory: failure instanceof OutOfMemoryError,
      residentBytes: residentBytes(),
    })
  } finally {
    process.chdir('/')
  }
}

/** Where it cannot be read, as without /proc, the most that there has been. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}

async function run({ task, ...place }: TaskRequest): Promise<TaskResult> {
  switch (task.kind) {
    case 'export':
      return await runAnyExport(task.job, place)
    case 'ingest':
      return await runIngest(task.job, place)
    case 'split':
      return await runSplit(task.job, place)
    case 'query':
      return await runQuery(task.job, place)
    case 'parse-sql':
      return await runParse(task.job, place)
    case 'query-sql':
      return await runSql(task.job, place)
  }
}

function reply(message: WorkerReply): void {
  // Without a callback a lost parent would be an unhandled 'error' event; `disconnect` follows.
  process.send?.(message, () => undefined)
}

function pathOf(task: Task): string {
  switch (task.kind) {
    case 'export':
      return task.job.source?.path ?? 'no rows'
    case 'ingest':
      return task.job.path
    case 'split':
      return task.job.source.path
    case 'query':
    case 'parse-sql':
    case 'query-sql':
      return 'the query'
  }
}
