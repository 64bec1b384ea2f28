import type { getRestView } from '../view-catalog.ts'
import { utf8 } from './rest-reply.ts'
import type { IcebergReply } from './rest-route.ts'

type ViewState = Awaited<ReturnType<typeof getRestView>>

/** Iceberg REST specification, `LoadViewResult`. */
export function viewReply({ metadata, metadataLocation }: ViewState): IcebergReply {
  const location = JSON.stringify(metadataLocation)
  const text = `{"metadata-location":${location},"metadata":${metadata},"config":{}}`
  return { status: 200, body: [utf8(text)] }
}
