import { dirname, join } from 'node:path'

/** A file and those of the project that it imports; types count. */
export type Imports = ReadonlyMap<string, readonly string[]>

/** From the text of each file, by path. */
export function importsOf(texts: ReadonlyMap<string, string>): Imports {
  const found = [...texts].map(([path, text]): [string, readonly string[]] => {
    const names = [...text.matchAll(/(?:from |import\()'(\.{1,2}\/[^']+\.ts)'/g)]
    return [path, names.map(([, name = '']) => join(dirname(path), name))]
  })
  return new Map(found)
}

/**
 * Sets of folders that import each other, in any number of steps. A folder is not part of the one
 * it lies in. The files right below `root` compose the rest: each stands for itself.
 */
export function folderCycles(imports: Imports, root: string): readonly (readonly string[])[] {
  const folderOf = (path: string) => (dirname(path) === root ? path : dirname(path))
  const arrows = new Map<string, Set<string>>()
  for (const [from, targets] of imports) {
    const folder = folderOf(from)
    const others = targets.map(folderOf).filter((target) => target !== folder)
    arrows.set(folder, new Set([...(arrows.get(folder) ?? []), ...others]))
  }
  return stronglyConnected(arrows)
}

/** Tarjan's algorithm; sets of one are left out. */
function stronglyConnected(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const cycles: string[][] = []
  const visit = (node: string): void => {
    const index = order.size
    order.set(node, index)
    lowest.set(node, index)
    open.push(node)
    for (const target of arrows.get(node) ?? []) {
      if (!order.has(target)) visit(target)
      if (open.includes(target)) {
        lowest.set(node, Math.min(lowest.get(node) ?? 0, lowest.get(target) ?? 0))
      }
    }
    if (lowest.get(node) !== index) return
    const members = open.splice(open.indexOf(node))
    if (members.length > 1) cycles.push(members.sort())
  }
  for (const node of arrows.keys()) if (!order.has(node)) visit(node)
  return cycles
}
