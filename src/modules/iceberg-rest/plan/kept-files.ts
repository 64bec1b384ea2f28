import type { DecodedManifest } from '../../../formats/manifest/manifest-reader.ts'
import type { Position } from './plan-token.ts'

/** Entries of one manifest that a scan keeps. */
export interface KeptEntries {
  /** Index of the manifest in the scan. */
  readonly manifest: number
  readonly decoded: DecodedManifest
  /** Indexes of the entries, ascending. */
  readonly rows: Uint32Array
}

/** The files that a scan keeps, in its order. */
export class KeptFiles {
  readonly manifests: KeptEntries[] = []

  add(entries: KeptEntries): void {
    if (entries.rows.length > 0) this.manifests.push(entries)
  }

  /** Positions of every `step`th file, from file number `first` on. */
  everyNth(step: number, first: number): Position[] {
    const positions: Position[] = []
    let next = first
    for (const { manifest, rows } of this.manifests) {
      for (; next < rows.length; next += step) {
        positions.push({ manifest, entry: rows[next] as number })
      }
      next -= rows.length
    }
    return positions
  }
}
