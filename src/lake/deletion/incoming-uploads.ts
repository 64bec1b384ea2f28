import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'

/** As uploads are called: others may have a folder of this name where the table is. */
const UPLOAD = /^\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.parquet$/

/** Uploads that were received, or are being received, and never placed in the table there. */
export async function* incomingUploads(
  objects: Pick<ObjectStore, 'list'>,
  tableLocation: string,
): AsyncGenerator<ObjectInfo> {
  const folder = `${tableLocation}/data/incoming`
  for await (const info of objects.list(folder)) {
    if (UPLOAD.test(info.location.slice(folder.length))) yield info
  }
}
