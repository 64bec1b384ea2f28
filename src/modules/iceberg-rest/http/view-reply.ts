import { aroundMember } from '../../../formats/json/json-text.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../../../http/reply.ts'
import type { getRestView } from '../view-catalog.ts'

type ViewState = Awaited<ReturnType<typeof getRestView>>

/** A `LoadViewResult` of the Iceberg REST specification. */
export function viewReply({ metadata, metadataLocation }: ViewState): Reply {
  const { head, end } = aroundMember('metadata', {
    before: { 'metadata-location': metadataLocation },
    after: { config: {} },
  })
  return { status: 200, mediaType: JSON_MEDIA_TYPE, body: `${head}${metadata}${end}` }
}
