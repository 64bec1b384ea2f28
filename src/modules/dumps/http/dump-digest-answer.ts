import type { Reply } from '../../../http/reply.ts'
import { fileNameOf } from '../dump-key.ts'
import { requireEdition } from './asked-edition.ts'
import {
  cacheControl,
  type DumpCall,
  type DumpResource,
  type DumpService,
  pinnedPath,
} from './dump-resource.ts'
import { notReady, openDump, waitForIndex } from './open-bytes.ts'

/** The digest of the file, as read by `sha256sum -c`; makes the dump if necessary. */
export async function answerDigest(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
): Promise<Reply> {
  const { target } = resource
  const { indexWaitMs } = service.streams.limits
  await requireEdition(service, call, resource, { waitMs: indexWaitMs })
  const opened = await openDump(service, call, target)
  const index = await waitForIndex(opened, indexWaitMs, call.closed)
  if (index === undefined) throw notReady(target)
  return {
    status: 200,
    mediaType: 'text/plain',
    body: `${index.sha256}  ${fileNameOf(target)}\n`,
    headers: {
      'Content-Location': pinnedPath(target, '.sha256'),
      'Cache-Control': cacheControl(resource),
    },
  }
}
