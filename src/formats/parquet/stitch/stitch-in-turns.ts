import { inWindow } from '../../../core/bounded.ts'
import { runStepsInTurns } from '../../../core/steps.ts'
import { type StitchPart, type StitchPlan, StitchPlanner } from './stitch.ts'

export type KeyedPart = StitchPart & Required<Pick<StitchPart, 'key'>>

export interface PartsInTurns<Item> {
  /** How many decoded footers there are at most at a time. */
  readonly atOnce: number
  /** `undefined` if the row groups of the item cannot be copied. */
  readonly read: (item: Item, index: number) => Promise<KeyedPart | undefined>
  /** Lets others go on; called after each row group. */
  readonly turn: () => Promise<void> | undefined
}

/**
 * As `planStitch`, with parts that are read as they are needed and dropped as soon as they are
 * planned. Reads each item, and returns `undefined` if their row groups cannot share one footer:
 * an item has no part, or another physical schema than the first.
 */
export async function planStitchInTurns<Item>(
  items: readonly Item[],
  { atOnce, read, turn }: PartsInTurns<Item>,
): Promise<StitchPlan | undefined> {
  let planner: StitchPlanner | undefined = new StitchPlanner()
  let key: string | undefined
  for await (const part of inWindow(items, atOnce, read)) {
    key ??= part?.key
    // What was planned until now is of no use any more.
    if (part === undefined || part.key !== key) planner = undefined
    else if (planner !== undefined) await runStepsInTurns(planner.addSteps(part), turn)
    await turn()
  }
  return planner === undefined ? undefined : runStepsInTurns(planner.finishSteps(), turn)
}
