/**
 * A thread that decodes manifests. The garbage stays here, and the columns are moved, not copied.
 */
import { CatalogError } from '../core/errors.ts'
import { readManifestContent } from '../formats/manifest/manifest-reader.ts'
import { answerTasks } from './answer-tasks.ts'
import type { DecodeResult, DecodeTask } from './manifest-message.ts'

answerTasks(decode, (result) => [...buffersIn(result)])

function decode({ file, manifest }: DecodeTask): DecodeResult {
  try {
    return { content: readManifestContent(file, manifest) }
  } catch (error) {
    const code = error instanceof CatalogError ? error.code : undefined
    const message = error instanceof Error ? error.message : String(error)
    return { failure: { code, message } }
  }
}

/** The buffers of all typed arrays in a plain value, each once. */
function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    // A view of a part would move the rest, too.
    const { buffer, byteLength } = value
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) found.add(buffer)
  } else if (value instanceof Map) {
    for (const each of value.values()) buffersIn(each, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) buffersIn(each, found)
  }
  return found
}
