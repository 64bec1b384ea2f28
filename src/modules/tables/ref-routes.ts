import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { MAIN_BRANCH, type SnapshotRef } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { AT_MOST_ONE, bodySelectors, selectorOf } from '../../http/common-shapes.ts'
import { onTable } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { dropRef, findRef, setRef } from './table-refs.ts'
import { SnapshotId } from './table-shapes.ts'
import { TABLES_TAG } from './table-tags.ts'

const REFS = '/v1/tables/{table_identifier}/refs'
const REF = `${REFS}/{ref}` as const
const PARAMETERS = { ref: 'Name of a branch or tag.' }
const MS_MAX = Number.MAX_SAFE_INTEGER
const EXAMPLE_ID = '4853267719093551'

const RetentionMs = z.int().min(1).max(MS_MAX)
const retention = {
  min_snapshots_to_keep: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .meta({
      description: 'Branches only: how many of its snapshots are kept however old they are.',
    }),
  max_snapshot_age_ms: RetentionMs.meta({
    description: 'Branches only: how long its snapshots are kept.',
  }),
  max_ref_age_ms: RetentionMs.meta({ description: 'How long the ref itself is kept.' }),
}
const Kind = z.enum(['branch', 'tag'])

const SetRefBody = z
  .strictObject({
    type: Kind.default('tag'),
    ...bodySelectors,
    min_snapshots_to_keep: retention.min_snapshots_to_keep.optional(),
    max_snapshot_age_ms: retention.max_snapshot_age_ms.optional(),
    max_ref_age_ms: retention.max_ref_age_ms.optional(),
  })
  .refine(...AT_MOST_ONE)
  .meta({ id: 'SetRef', example: { type: 'tag', snapshot_id: EXAMPLE_ID } })

const EXAMPLE_REF = {
  name: 'release-1',
  type: 'tag',
  snapshot_id: EXAMPLE_ID,
  min_snapshots_to_keep: null,
  max_snapshot_age_ms: null,
  max_ref_age_ms: null,
} as const

const RefAnswer = z
  .strictObject({
    name: z.string(),
    type: Kind,
    snapshot_id: SnapshotId,
    min_snapshots_to_keep: retention.min_snapshots_to_keep.nullable(),
    max_snapshot_age_ms: retention.max_snapshot_age_ms.nullable(),
    max_ref_age_ms: retention.max_ref_age_ms.nullable(),
  })
  .meta({ id: 'Ref', example: EXAMPLE_REF })
const RefsAnswer = z
  .strictObject({ refs: z.array(RefAnswer) })
  .meta({ id: 'Refs', example: { refs: [EXAMPLE_REF] } })

const FOUND = ['table-not-found', 'name-invalid', 'snapshot-not-found'] as const
const CHANGING = ['update-invalid', 'commit-state-unknown'] as const

const list = (deps: Stores<'tables'>) =>
  defineRoute(
    {
      method: 'get',
      path: REFS,
      operationId: 'listRefs',
      tag: TABLES_TAG,
      permission: onTable('describe'),
      summary: 'List the branches and tags of the table',
      description: 'Sorted by name, with `main` once the table has a snapshot.',
      answers: [{ status: 200, description: 'All of them.', shape: RefsAnswer }],
      problems: ['table-not-found', 'name-invalid'],
      curl: 'curl $MORAINE/v1/tables/aviation.flights/refs',
    },
    async (call) => {
      const { catalog } = asking(deps, call)
      const state = await getTable(catalog, call.param('table_identifier'))
      const refs = Object.entries({ ...state.refs, ...mainOf(state) })
      refs.sort(([left], [right]) => (left < right ? -1 : 1))
      return jsonReply({ refs: refs.map(([name, ref]) => refToJson(name, ref)) })
    },
  )

const set = (deps: CommitDependencies) =>
  defineRoute(
    {
      method: 'put',
      path: REF,
      parameters: PARAMETERS,
      operationId: 'setRef',
      tag: TABLES_TAG,
      permission: onTable('modify'),
      summary: 'Make a branch or tag, or move it',
      description:
        'It points at the current snapshot unless told otherwise. A tag keeps its snapshot from ' +
        'expiring; its name takes the place of a snapshot id in all addresses.',
      body: SetRefBody,
      isBodyOptional: true,
      answers: [{ status: 200, description: 'As it is now.', shape: RefAnswer }],
      problems: [...FOUND, 'as-at-invalid', 'as-at-before-first-snapshot', ...CHANGING],
      curl:
        'curl -X PUT $MORAINE/v1/tables/aviation.flights/refs/release-1 ' +
        `-H 'Content-Type: application/json' -d '{"type":"tag","as_at":"2024-03-17T12:00:00Z"}'`,
    },
    async ({ param, body, keeper, found }) => {
      const name = param('ref')
      const answer = (state: TableState) => refToJson(name, findRef(state, name) as SnapshotRef)
      const keep = keeper.keeping((state: TableState) => ({ status: 200, value: answer(state) }))
      const place = { table: param('table_identifier'), name }
      return jsonReply(answer(await setRef(asking(deps, { found }), place, newRef(body), keep)))
    },
  )

const drop = (deps: CommitDependencies) =>
  defineRoute(
    {
      method: 'delete',
      path: REF,
      parameters: PARAMETERS,
      operationId: 'dropRef',
      tag: TABLES_TAG,
      permission: onTable('modify'),
      summary: 'Drop a branch or tag',
      description: 'Snapshots that only it kept may expire from then on.',
      answers: [
        {
          status: 200,
          description: 'Dropped.',
          shape: z
            .strictObject({ name: z.string() })
            .meta({ id: 'DroppedRef', example: { name: EXAMPLE_REF.name } }),
        },
      ],
      problems: [...FOUND, ...CHANGING],
      curl: 'curl -X DELETE $MORAINE/v1/tables/aviation.flights/refs/release-1',
    },
    async ({ param, keeper, found }) => {
      const name = param('ref')
      const keep = keeper.keeping(() => ({ status: 200, value: { name } }))
      await dropRef(asking(deps, { found }), { table: param('table_identifier'), name }, keep)
      return jsonReply({ name })
    },
  )

function newRef(body: z.output<typeof SetRefBody>) {
  const { type, min_snapshots_to_keep, max_snapshot_age_ms, max_ref_age_ms } = body
  return {
    type,
    ...(min_snapshots_to_keep !== undefined && { minSnapshotsToKeep: min_snapshots_to_keep }),
    ...(max_snapshot_age_ms !== undefined && { maxSnapshotAgeMs: max_snapshot_age_ms }),
    ...(max_ref_age_ms !== undefined && { maxRefAgeMs: max_ref_age_ms }),
    selector: selectorOf(body),
  }
}

function mainOf({ currentSnapshot, definition }: TableState): Record<string, SnapshotRef> {
  if (currentSnapshot === undefined) return {}
  const { snapshotId } = currentSnapshot
  return { [MAIN_BRANCH]: { type: 'branch', snapshotId, ...definition.mainRetention } }
}

function refToJson(name: string, ref: SnapshotRef) {
  return {
    name,
    type: ref.type,
    snapshot_id: ref.snapshotId.toString(),
    min_snapshots_to_keep: ref.minSnapshotsToKeep ?? null,
    max_snapshot_age_ms: ref.maxSnapshotAgeMs ?? null,
    max_ref_age_ms: ref.maxRefAgeMs ?? null,
  }
}

export function refRoutes(deps: CommitDependencies): readonly Route[] {
  return [list(deps), set(deps), drop(deps)]
}
