import { readFile } from 'node:fs/promises'
import { icebergMetadata, icebergRead } from 'icebird'

export type Row = Record<string, unknown>
/** As icebird reads it: ids are plain numbers, which ours survive. */
export type Metadata = Awaited<ReturnType<typeof icebergMetadata>>

/** Icebird reads over HTTP only: serves file locations as a web server would. */
export function serveFilesToFetch(): () => void {
  const before = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const url = String(input)
    if (!url.startsWith('file://')) throw new Error(`a reader was sent to ${url}`)
    const bytes = await readFile(url.slice('file://'.length))
    const range = new Headers(init?.headers).get('range')
    if (range === null) return new Response(bytes)
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
    const end = last === '' || last === undefined ? bytes.length : Number(last) + 1
    return new Response(bytes.subarray(Number(first), end), { status: 206 })
  }
  return () => {
    globalThis.fetch = before
  }
}

export function readMetadata(metadataLocation: string): Promise<Metadata> {
  const [tableUrl, metadataFileName] = metadataLocation.split('/metadata/')
  if (tableUrl === undefined || metadataFileName === undefined) throw new Error(metadataLocation)
  return icebergMetadata({ tableUrl, metadataFileName })
}

/**
 * All rows at a snapshot. Icebird knows no time travel but this: the metadata says which is
 * current.
 */
export function readRows(metadata: Metadata, snapshotId: bigint): Promise<Row[]> {
  const pinned = { ...metadata, 'current-snapshot-id': Number(snapshotId) }
  return icebergRead({ tableUrl: metadata.location, metadata: pinned as Metadata })
}
