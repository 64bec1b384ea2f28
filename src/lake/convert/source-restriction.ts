import {
  type Restriction,
  type RowSelection,
  withFilterFields,
} from '../../core/table/restriction.ts'
import type { Schema } from '../../core/value/type.ts'
import type { SourceRestriction } from '../../engine/engine.ts'

/** As the engine is told it, of sources that are read by a schema. */
export function sourceRestriction(
  restriction: Restriction | RowSelection,
  readAs: Schema,
): SourceRestriction | undefined {
  if (restriction === 'unrestricted') return undefined
  const { filter, actions, isInverted } = restriction
  return { readAs: withFilterFields(readAs, restriction), filter, actions, isInverted }
}
