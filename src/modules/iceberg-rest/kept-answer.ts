import type { KeptAnswer } from '../../core/replay.ts'

/** A response without a body. */
export const NO_CONTENT: KeptAnswer = { status: 204 }

/** The table's metadata as it is when the request is repeated. */
export function tableAnswer(tableUuid: string): KeptAnswer {
  return { status: 200, from: { tableUuid } }
}

/** As `tableAnswer`, of a view. */
export function viewAnswer(viewUuid: string): KeptAnswer {
  return { status: 200, from: { viewUuid } }
}

/** What a metadata file of a table says that is not in the catalog any more. */
export function metadataFileAnswer(metadataLocation: string): KeptAnswer {
  return { status: 200, from: { metadataLocation } }
}
