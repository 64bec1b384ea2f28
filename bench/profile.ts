/** The part of V8's processor profile that is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** The node that ran at each sample. */
  readonly samples: readonly number[]
  /** Microseconds since the previous sample. */
  readonly timeDeltas: readonly number[]
  /** Microseconds, by the clock of `process.hrtime`. */
  readonly startTime: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
  }
  readonly children?: readonly number[]
}

export interface Share {
  readonly name: string
  readonly percent: number
}

export interface ProfileSummary {
  /** Leaves out the time in which nothing ran. */
  readonly seconds: number
  /** Their own time, without that of what they call; the longest first. */
  readonly functions: readonly Share[]
  /** The same by package, folder of the service, or part of Node. */
  readonly places: readonly Share[]
}

const IDLE = '(idle)'

export function summarizeProfile({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
  const functions = new Map<string, number>()
  const places = new Map<string, number>()
  let totalUs = 0
  for (const [i, id] of samples.entries()) {
    const frame = byId.get(id)
    // A delta before the first sample of a profile can be negative.
    const us = Math.max(0, timeDeltas[i] ?? 0)
    if (frame === undefined || frame.functionName === IDLE) continue
    totalUs += us
    const place = placeOf(frame)
    const line = frame.url === '' ? '' : `, line ${frame.lineNumber + 1}`
    add(functions, `${frame.functionName || '(anonymous)'}  ${fileOf(frame.url)}${line}`, us)
    add(places, place, us)
  }
  const shares = (times: ReadonlyMap<string, number>) =>
    [...times]
      .map(([name, us]) => ({ name, percent: (100 * us) / totalUs }))
      .sort((a, b) => b.percent - a.percent)
  return { seconds: totalUs / 1e6, functions: shares(functions), places: shares(places) }
}

export interface Span {
  readonly fromUs: number
  readonly toUs: number
}

/** Seconds that functions in such files, and what they call, ran or waited to run. */
export function secondsBelow(
  { nodes, samples, timeDeltas, startTime }: CpuProfile,
  { fromUs, toUs, isBelow }: Span & { readonly isBelow: RegExp },
): number {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const below = new Set<number>()
  const mark = (node: ProfileNode, isIn: boolean): void => {
    const isOwn = isIn || isBelow.test(node.callFrame.url)
    if (isOwn) below.add(node.id)
    for (const id of node.children ?? []) mark(byId.get(id) as ProfileNode, isOwn)
  }
  const [root] = nodes
  if (root !== undefined) mark(root, false)
  let [atUs, belowUs] = [startTime, 0]
  for (const [i, id] of samples.entries()) {
    const us = timeDeltas[i] ?? 0
    atUs += us
    if (atUs >= fromUs && atUs <= toUs && below.has(id)) belowUs += Math.max(0, us)
  }
  return belowUs / 1e6
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us)
}

function placeOf({ url, functionName }: ProfileNode['callFrame']): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'V8 and native code'
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/')
  const packageName = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules\/)/.exec(url)?.[1]
  if (packageName !== undefined) return `package ${packageName}`
  return /\/((?:src|dist)\/.*)\/[^/]+$/.exec(url)?.[1] ?? 'other'
}

function fileOf(url: string): string {
  return /\/((?:src|dist|node_modules)\/.*)$/.exec(url)?.[1] ?? url
}
