import { ProblemError } from '../../../problem/problems.ts'
import { fileNameOf, versionOf } from '../dump-key.ts'
import type { DumpIndex } from '../format/dump-index.ts'
import { type DumpCall, type DumpResource, type DumpService, pinnedPath } from './dump-resource.ts'
import { notReady, openDump, waitForIndex } from './open-bytes.ts'

/**
 * Refuses an address whose edition is no longer what the dump is, unless the two are known to have
 * the same bytes: after most changes of a name mapping they do. A request that may start a dump
 * makes the present one to compare, if the old one is still there, and waits for it.
 */
export async function requireEdition(
  service: DumpService,
  call: DumpCall,
  { target, asked }: DumpResource,
  mayStart: { readonly waitMs: number } | 'starts nothing',
): Promise<void> {
  const { edition } = versionOf(target)
  if (asked === undefined || asked === edition) return
  const { dumps } = service
  let index = await dumps.find(target)
  const isMissing = index === undefined && mayStart !== 'starts nothing'
  if (isMissing && (await dumps.hasEdition(target, asked))) {
    const opened = await openDump(service, call, target)
    index = await waitForIndex(opened, mayStart.waitMs, call.closed)
    if (index === undefined) throw notReady(target)
  }
  const before = index?.earlier?.find((each) => each.edition === asked)
  if (before !== undefined && before.sha256 === index?.sha256) return
  throw new ProblemError(
    'dump-edition-gone',
    `edition ${asked} of this dump is no longer available: the snapshot is now read, or its ` +
      `dump written, in another way; download ${fileNameOf(target)} at ${pinnedPath(target)}`,
    { facts: { edition: asked, pinnedUrl: pinnedPath(target), fileName: fileNameOf(target) } },
  )
}

/** Whether an address without an edition had other bytes before. */
export function hadOtherBytes({ earlier = [], sha256 }: DumpIndex): boolean {
  return earlier.some((each) => each.sha256 !== sha256)
}
