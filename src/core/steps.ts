/** The result of work that is done in steps, all of them at once. */
export function runSteps<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** The same between other work, which `turn` lets go on after each step. */
export async function runStepsInTurns<T>(
  steps: Generator<void, T>,
  turn: () => Promise<void> | undefined,
): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    const others = turn()
    if (others !== undefined) await others
  }
}
