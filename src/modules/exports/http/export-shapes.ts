import { z } from 'zod'
import { boundedArray } from '../../../http/bounded-shapes.ts'
import { EXAMPLE_TIME, NextPageToken, PageQuery, Time } from '../../../http/common-shapes.ts'
import { MODES } from '../export-task.ts'
import { RunStep } from '../run-log.ts'

const EXAMPLE_FILE = 'agency-20250101T000000Z-0f8c1c9e.csv.gz'
const RUN_STATES = ['waiting', 'running', 'succeeded', 'failed', 'cancelled'] as const

export const ExportFile = z
  .strictObject({
    file: z.string(),
    url: z.string().meta({ description: 'Where the file is downloaded.' }),
    run_id: z.string(),
    source: z.string(),
    rows: z.int().meta({ description: 'Rows in the file, without its header.' }),
    deleted: z.int().meta({ description: 'Rows that the same transaction deleted.' }),
    proof: z.string().meta({
      description:
        'Why the deleted rows are those in the file: `one statement` copied and deleted them; ' +
        'their `keys` are equal; a `whole partition` was, or `whole files`, or `rewritten files` ' +
        'have the others; or only their `count` is. `none deleted` for copies.',
    }),
    bytes: z.int(),
    sha256: z.string(),
    exported_at: Time,
    place: z
      .string()
      .optional()
      .meta({ description: 'The folder that the file is in, where that is not the warehouse.' }),
    table: z
      .string()
      .optional()
      .meta({ description: 'The table that the rows were appended to, too.' }),
  })
  .meta({
    id: 'ExportFile',
    example: {
      file: EXAMPLE_FILE,
      url: `/v1/exports/agency/files/${EXAMPLE_FILE}`,
      run_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
      source: 'default',
      rows: 63_300,
      deleted: 63_300,
      proof: 'one statement',
      bytes: 1_284_103,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      exported_at: EXAMPLE_TIME,
    },
  })

export const ExportRun = z
  .strictObject({
    run_id: z.string(),
    task: z.string(),
    state: z.enum(RUN_STATES),
    is_cancelled: z.boolean().meta({ description: 'Nobody wants it: it ends, or has.' }),
    url: z.string().meta({
      description: 'The run; DELETE withdraws the request for it.',
    }),
    progress: z
      .strictObject({ rows: z.int(), bytes: z.int() })
      .nullable()
      .meta({ description: 'Rows and bytes so far; null before the first.' }),
    result: z.unknown().meta({
      description: 'The file and its rows, or `{"outcome": "empty"}`; null unless it succeeded.',
    }),
    problem: z.unknown().meta({ description: 'Why it failed, or its last attempt did; or null.' }),
    attempts: z.int(),
    created_at: Time,
    started_at: Time.nullable(),
    ended_at: Time.nullable(),
  })
  .meta({
    id: 'ExportRun',
    example: {
      run_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
      task: 'agency',
      state: 'running',
      is_cancelled: false,
      url: '/v1/exports/agency/runs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
      progress: { rows: 12_000, bytes: 240_112 },
      result: null,
      problem: null,
      attempts: 1,
      created_at: EXAMPLE_TIME,
      started_at: EXAMPLE_TIME,
      ended_at: null,
    },
  })

const STEP = RunStep.shape

export const ExportRunLog = z
  .strictObject({
    run_id: z.string(),
    task: z.string(),
    state: z.enum(RUN_STATES),
    steps: z.array(
      z.strictObject({
        ...STEP,
        at: Time.meta({ description: 'When it ended.' }),
        ms: STEP.ms.meta({ description: 'Since the step before it.' }),
        attempt: STEP.attempt.meta({ description: 'From 1: which claim of the job.' }),
        part: STEP.part.meta({ description: 'From 1, in runs of several files.' }),
        outcome: STEP.outcome.meta({
          description: 'What became of the transaction of an attempt that was cut off.',
        }),
        problem: STEP.problem.meta({ description: 'The code of the failure.' }),
      }),
    ),
    left_out: z.int().meta({ description: 'Steps in the middle that are not kept.' }),
  })
  .meta({
    id: 'ExportRunLog',
    example: {
      run_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
      task: 'agency',
      state: 'running',
      steps: [
        { step: 'began', at: EXAMPLE_TIME, ms: 0, attempt: 1 },
        { step: 'copied', at: EXAMPLE_TIME, ms: 812, attempt: 1, rows: 63_300, bytes: 1_284_103 },
      ],
      left_out: 0,
    },
  })

/** What stays the same while the run goes on, so that a repeated request has the same answer. */
export const ExportRunAsked = ExportRun.pick({
  ...{ run_id: true, task: true, url: true, created_at: true },
}).meta({
  id: 'ExportRunAsked',
  example: {
    run_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
    task: 'agency',
    url: '/v1/exports/agency/runs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
    created_at: EXAMPLE_TIME,
  },
})

export const RunExportRequest = z
  .strictObject({
    dry_run: z.boolean().optional().meta({
      description: 'Whether to count only: nothing is written and nothing deleted.',
    }),
  })
  .meta({ id: 'RunExportRequest', example: { dry_run: true } })

const ExportDryRun = z
  .strictObject({
    task: z.string(),
    dry_run: z.literal(true),
    mode: z.enum(MODES),
    rows: z.int().meta({ description: 'Rows that a run would archive now.' }),
  })
  .meta({
    id: 'ExportDryRun',
    example: { task: 'agency', dry_run: true, mode: 'atomic', rows: 63_300 },
  })

export const ExportEnded = z.union([ExportDryRun, ExportRun]).meta({
  id: 'ExportEnded',
  example: { task: 'agency', dry_run: true, mode: 'atomic', rows: 63_300 },
})

const someTasks = {
  tasks: boundedArray(z.string().max(100), { max: 10_000 })
    .optional()
    .meta({ description: 'Names of tasks; all when absent.' }),
}

export const RunExportsRequest = z
  .strictObject(someTasks)
  .meta({ id: 'RunExportsRequest', example: { tasks: ['agency'] } })

export const PauseExportsRequest = z
  .strictObject(someTasks)
  .meta({ id: 'PauseExportsRequest', example: { tasks: ['agency'] } })

export const PausedExport = z
  .strictObject({ task: z.string(), is_paused: z.boolean() })
  .meta({ id: 'PausedExport', example: { task: 'agency', is_paused: true } })

export const PausedExports = z
  .strictObject({ tasks: z.array(PausedExport) })
  .meta({ id: 'PausedExports', example: { tasks: [{ task: 'agency', is_paused: true }] } })

/** One task of a request for all: its run, or why it has none. */
const RunOfAll = z.strictObject({
  task: z.string(),
  run_id: z.string().nullable(),
  url: z.string().nullable(),
  problem: z.string().nullable().meta({ description: 'Why it cannot be run; null if it can.' }),
})

export const RunsOfAll = z.strictObject({ runs: z.array(RunOfAll) }).meta({
  id: 'ExportRunsOfAll',
  example: {
    runs: [
      {
        task: 'agency',
        run_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
        url: '/v1/exports/agency/runs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
        problem: null,
      },
    ],
  },
})

export const ExportTaskAnswer = z
  .strictObject({
    task: z.string(),
    source: z.string().nullable(),
    mode: z.enum(MODES).nullable(),
    schedule: z
      .string()
      .nullable()
      .meta({ description: 'As in task.json; null if there is none.' }),
    next_run_at: Time.nullable().meta({
      description:
        'When its schedule runs it next; in the past while a run is due. Null while the schedule ' +
        'is left out, if there is none, or if the task cannot be used.',
    }),
    is_paused: z.boolean().meta({ description: 'Whether its schedule is left out.' }),
    problem: z.string().nullable().meta({ description: 'Why it cannot be run; null if it can.' }),
    last_run: ExportRun.nullable(),
  })
  .meta({
    id: 'ExportTask',
    example: {
      ...{ task: 'agency', source: 'crm', mode: 'atomic', schedule: '0 3 * * *' },
      ...{ next_run_at: EXAMPLE_TIME, is_paused: false, problem: null, last_run: null },
    },
  })

export const ExportsAnswer = z
  .strictObject({
    exports: z.array(ExportTaskAnswer),
    problem: z
      .string()
      .nullable()
      .meta({ description: 'Why their folder cannot be read; null if it can.' }),
  })
  .meta({ id: 'Exports', example: { exports: [], problem: null } })
export const ExportFilesAnswer = z
  .strictObject({ files: z.array(ExportFile), next_page_token: NextPageToken })
  .meta({ id: 'ExportFiles', example: { files: [], next_page_token: null } })
export const ExportFilesQuery = z.strictObject({ ...PageQuery })
export const ExportFilePosition = z.tuple([z.string().max(300)])
export const ExportRunsAnswer = z
  .strictObject({ runs: z.array(ExportRun), next_page_token: NextPageToken })
  .meta({ id: 'ExportRuns', example: { runs: [], next_page_token: null } })
export const ExportRunsQuery = z.strictObject({ ...PageQuery })
export const ExportRunPosition = z.tuple([z.int(), z.string().max(100)])
export const SeedNames = z.strictObject({ exports: z.array(z.string()) })
export const SeedOk = z.strictObject({ status: z.literal('Ok') })
export const SeedTask = z.strictObject({ export: z.string() })
