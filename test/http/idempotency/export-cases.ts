import { randomUUID } from 'node:crypto'
import type { NewJob } from '../../../src/catalog/job-store.ts'
import type { RequestOptions } from '../client.ts'

type Case = RequestOptions & { readonly path: string }

/**
 * Requests of exports; `newExport` makes a task, `pause` pauses the schedule of one, and `submit`
 * asks for a job.
 */
export function exportCases(
  newExport: () => Promise<string>,
  pause: (task: string) => Promise<unknown>,
  submit: (job: NewJob) => Promise<unknown>,
): Readonly<Record<string, () => Promise<Case>>> {
  const pausedExport = async () => {
    const task = await newExport()
    await pause(task)
    return task
  }
  /** One that begins in an hour, of a task that is gone: nobody waits for it. */
  const openRun = async () => {
    const [jobId, nowMs, asker] = [randomUUID(), Date.now(), 'anonymous']
    const task = `gone-${jobId}`
    const job = { jobId, kind: 'export', key: task, input: { task }, asker, nowMs }
    await submit({ ...job, notBeforeMs: nowMs + 3_600_000 })
    return `/v1/exports/${task}/runs/${jobId}`
  }
  const ofOne = (verb: string, task: () => Promise<string>) => async () => {
    return { path: `/v1/exports/${await task()}/${verb}`, method: 'POST' } as const
  }
  const ofSome = (verb: string, task: () => Promise<string>) => async () => {
    return { path: `/v1/exports/${verb}`, json: { tasks: [await task()] } }
  }
  const ofAll = (path: string) => async () => {
    await newExport()
    return { path, method: 'POST' } as const
  }
  return {
    runExport: ofOne('runs', newExport),
    runExports: ofAll('/v1/exports/runs'),
    cancelExportRun: async () => ({ path: await openRun(), method: 'DELETE' }),
    pauseExport: ofOne('pause', newExport),
    pauseExports: ofSome('pause', newExport),
    resumeExport: ofOne('resume', pausedExport),
    resumeExports: ofSome('resume', pausedExport),
    runSeedExport: async () => ({ path: `/exports/${await newExport()}`, method: 'POST' }),
    runSeedExports: ofAll('/exports'),
  }
}
