import type { KeptAnswer } from '../../core/replay.ts'

/** A response without a body. */
export const NO_CONTENT: KeptAnswer = { status: 204 }

/** A response with the table's metadata as of when the request is repeated. */
export function tableAnswer(tableUuid: string): KeptAnswer {
  return { status: 200, from: { tableUuid } }
}

/** Like `tableAnswer`, for a view. */
export function viewAnswer(viewUuid: string): KeptAnswer {
  return { status: 200, from: { viewUuid } }
}

/** A response with the metadata file of a table that is no longer in the catalog. */
export function metadataFileAnswer(metadataLocation: string): KeptAnswer {
  return { status: 200, from: { metadataLocation } }
}
