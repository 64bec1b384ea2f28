import type { Reply } from '../../../http/reply.ts'
import { fileNameOf } from '../dump-key.ts'
import { type DumpCall, type DumpResource, type DumpService, pinnedPath } from './dump-resource.ts'
import { notReady } from './dump-status.ts'
import { waitForIndex } from './open-bytes.ts'

/** The digest of the file, as read by `sha256sum -c`; makes the dump if necessary. */
export async function answerDigest(
  { dumps, streams }: DumpService,
  { closed }: DumpCall,
  { target, isMoving }: DumpResource,
): Promise<Reply> {
  const opened = await dumps.open(target)
  const index = await waitForIndex(opened, streams.limits.indexWaitMs, closed)
  if (index === undefined) throw notReady(target)
  return {
    status: 200,
    mediaType: 'text/plain',
    body: `${index.sha256}  ${fileNameOf(target)}\n`,
    headers: {
      'Content-Location': pinnedPath(target, '.sha256'),
      'Cache-Control': isMoving ? 'private, no-cache' : 'private, max-age=31536000, immutable',
    },
  }
}
