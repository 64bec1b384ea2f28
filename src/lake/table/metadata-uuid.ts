import { metadataHead } from '../../formats/metadata/metadata-file.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

const UUID = /"(?:table|view)-uuid"\s*:\s*"([^"]+)"/
/** The UUID is among the first members of the metadata. */
const HEAD_BYTES = 4_096

/** UUID of the table or view whose metadata file it is; `undefined` if it does not say. */
export async function uuidIn(
  { objects }: { readonly objects: Pick<ObjectStore, 'readRange'> },
  file: string,
): Promise<string | undefined> {
  const head = metadataHead(await objects.readRange(file, 0, HEAD_BYTES))
  return UUID.exec(head)?.[1]?.toLowerCase()
}
