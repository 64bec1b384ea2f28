import { MAIN_BRANCH, type SnapshotRef } from '../table/snapshot.ts'
import type { TableState } from '../table/table.ts'
import type { TableRequirement } from './table-update.ts'
import { invalidUpdate, shortened, staleUpdate } from './update-problem.ts'

/**
 * Throws `commit-conflict` for the first requirement that does not hold. Without a state, for a
 * table to be created, only `assert-create` makes sense; others are `update-invalid`.
 */
export function checkRequirements(
  requirements: readonly TableRequirement[],
  state: TableState | undefined,
): void {
  for (const requirement of requirements) {
    const problem = state === undefined ? problemOfNew(requirement) : problemOf(requirement, state)
    if (problem !== undefined) {
      const facts = { requirement: requirement.type }
      throw staleUpdate(`Requirement failed: ${problem}`, facts)
    }
  }
}

/** Finds a ref, including `main`. */
export function findRef(state: TableState, name: string): SnapshotRef | undefined {
  if (name !== MAIN_BRANCH) return Object.hasOwn(state.refs, name) ? state.refs[name] : undefined
  const { currentSnapshot, definition } = state
  if (currentSnapshot === undefined) return undefined
  return { type: 'branch', snapshotId: currentSnapshot.snapshotId, ...definition.mainRetention }
}

function problemOfNew(requirement: TableRequirement): undefined {
  if (requirement.type === 'assert-create') return
  throw invalidUpdate(`Invalid create requirements: ${requirement.type}`, {
    requirement: requirement.type,
  })
}

function problemOf(requirement: TableRequirement, state: TableState): string | undefined {
  const { definition } = state
  switch (requirement.type) {
    case 'assert-create':
      return 'table already exists'
    case 'assert-table-uuid':
      return uuidProblem(definition.tableUuid, requirement.uuid)
    case 'assert-ref-snapshot-id':
      return refProblem(state, requirement)
    case 'assert-last-assigned-field-id':
      return idProblem('last assigned field id', {
        expected: requirement.lastAssignedFieldId,
        found: definition.lastColumnId,
      })
    case 'assert-current-schema-id':
      return idProblem('current schema', {
        expected: requirement.currentSchemaId,
        found: definition.currentSchemaId,
      })
    case 'assert-last-assigned-partition-id':
      return idProblem('last assigned partition id', {
        expected: requirement.lastAssignedPartitionId,
        found: definition.lastPartitionId,
      })
    case 'assert-default-spec-id':
      return idProblem('default partition spec', {
        expected: requirement.defaultSpecId,
        found: definition.defaultSpecId,
      })
    case 'assert-default-sort-order-id':
      return idProblem('default sort order', {
        expected: requirement.defaultSortOrderId,
        found: definition.defaultSortOrderId,
      })
  }
}

function uuidProblem(found: string, expected: string): string | undefined {
  if (found.toLowerCase() === expected.toLowerCase()) return undefined
  return `UUID does not match: expected ${found} != ${shortened(expected)}`
}

function idProblem(
  what: string,
  { expected, found }: { readonly expected: number; readonly found: number },
): string | undefined {
  return expected === found ? undefined : `${what} changed: expected id ${expected} != ${found}`
}

function refProblem(
  state: TableState,
  { ref: name, snapshotId }: { readonly ref: string; readonly snapshotId: bigint | null },
): string | undefined {
  const ref = findRef(state, name)
  const text = shortened(name)
  if (ref === undefined) {
    return snapshotId === null
      ? undefined
      : `branch or tag ${text} is missing, expected ${snapshotId}`
  }
  if (snapshotId === null) return `${ref.type} ${text} was created concurrently`
  if (snapshotId === ref.snapshotId) return undefined
  return `${ref.type} ${text} has changed: expected id ${snapshotId} != ${ref.snapshotId}`
}
