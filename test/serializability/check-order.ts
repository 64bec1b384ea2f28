import type { Operation } from './history.ts'
import { changeOf, type Entry, nameOf, type Replay, type Timeline } from './replay.ts'

/**
 * One order of all operations explains every log, and agrees with the order in which they were
 * answered and called.
 */
export function checkOrder({ timelines }: Replay): string[] {
  const all = [...timelines.values()]
  const wrong = all.flatMap((timeline) => [...checkRealTime(timeline), ...checkBases(timeline)])
  return wrong.length > 0 ? wrong : checkTogether(all)
}

/** An operation whose reply came before another was called comes before it. */
function checkRealTime({ entries, lastCallAt }: Timeline): string[] {
  return entries.flatMap((entry, index) =>
    entry.members
      .filter(({ answeredAt }) => answeredAt < (lastCallAt[index] ?? 0))
      .map(
        ({ id }) => `${nameOf(entry)}: ${id} was answered before one that comes first was called`,
      ),
  )
}

/** What truncates or removes on a base fails when something was committed on top of that base. */
function checkBases({ entries }: Timeline): string[] {
  return entries.flatMap((entry, index) => {
    const before = entries[index - 1]?.members ?? []
    const baseOf = (member: Operation) => changeOf(member, entry.table)?.touchedBy ?? Infinity
    return entry.members
      .filter((member) => before.some(({ calledAt }) => calledAt > baseOf(member)))
      .map(({ id }) => `${nameOf(entry)}: ${id} took away what was committed since its base`)
  })
}

/**
 * Looks for a circle among: the order of each log, operations over several tables being one step in
 * all of them, and real time. With times as steps of their own, in their order, each operation
 * needs two arrows, not one to each other.
 */
function checkTogether(timelines: readonly Timeline[]): string[] {
  const graph = new Graph()
  for (const { entries } of timelines) {
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1]
      if (before !== undefined) graph.add(stepOf(before), stepOf(entry))
    }
  }
  const located = timelines.flatMap(({ entries }) =>
    entries.flatMap((entry) => entry.members.map((member) => ({ member, step: stepOf(entry) }))),
  )
  const times = located.flatMap(({ member, step }) => [
    { at: member.calledAt, kind: 'call' as const, step },
    { at: member.answeredAt, kind: 'answer' as const, step },
  ])
  const inOrder = times.filter(({ at }) => Number.isFinite(at)).sort(byTime)
  for (const [index, { kind, step }] of inOrder.entries()) {
    const [now, next] = [`time ${index}`, `time ${index + 1}`]
    graph.add(now, next)
    if (kind === 'call') graph.add(now, step)
    else graph.add(step, next)
  }
  const circle = graph.stepsInCircles().filter((step) => !step.startsWith('time'))
  return circle.length === 0 ? [] : [`no one order explains: ${circle.slice(0, 6).join(', ')}`]
}

interface Moment {
  readonly at: number
  readonly kind: 'call' | 'answer'
}

/** At one instant calls come first, so that neither precedes the other. */
function byTime(left: Moment, right: Moment): number {
  return left.at - right.at || (left.kind === 'call' ? 0 : 1) - (right.kind === 'call' ? 0 : 1)
}

function stepOf(entry: Entry): string {
  const over = entry.members.find(isOverSeveral)
  return over === undefined ? nameOf(entry) : over.id
}

function isOverSeveral({ changes }: Operation): boolean {
  return changes.length > 1
}

/** Arrows between steps. */
class Graph {
  readonly #after = new Map<string, Set<string>>()
  readonly #before = new Map<string, number>()

  add(from: string, to: string): void {
    if (from === to) return
    const after = this.#after.get(from) ?? new Set()
    if (after.has(to)) return
    this.#after.set(from, after.add(to))
    this.#before.set(to, (this.#before.get(to) ?? 0) + 1)
    if (!this.#before.has(from)) this.#before.set(from, 0)
  }

  /**
   * Steps that are in a circle or behind one: what stays when steps without a predecessor are taken
   * away.
   */
  stepsInCircles(): string[] {
    const counts = new Map(this.#before)
    const free = [...counts].filter(([, count]) => count === 0).map(([step]) => step)
    for (let step = free.pop(); step !== undefined; step = free.pop()) {
      counts.delete(step)
      for (const next of this.#after.get(step) ?? []) {
        const left = (counts.get(next) ?? 0) - 1
        counts.set(next, left)
        if (left === 0) free.push(next)
      }
    }
    return [...counts.keys()]
  }
}
