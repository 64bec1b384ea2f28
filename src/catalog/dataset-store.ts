import type { Readers } from '../core/access/visibility.ts'
import type { NewDeletion } from './deletion-store.ts'
import type { JobProblem } from './job-store.ts'
import type { MutationOptions } from './replay-store.ts'
import type { NewTable } from './table-store.ts'

/**
 * Queries of snapshots, frozen, and their hidden tables. Each version of a name is a dataset of its
 * own. Its contract: test/catalog/datasets.contract.ts.
 */
export interface DatasetStore {
  /**
   * Makes the next version of the name, with its hidden table if that is given. Of the datasets of
   * a name only one with an identity lives at a time: whoever asks for it again gets that one,
   * which then lives as long as the longer of the two was to live. Throws as `TableStore.create`
   * does when the source of the hidden table is gone.
   */
  create(dataset: NewDataset, options?: MutationOptions): Promise<CreatedDataset>
  /** By name and instant, the newest that lives then, else the newest. */
  find(key: DatasetKey): Promise<DatasetRecord | undefined>
  /** By name, then version, of those that live. */
  list(query: ListDatasetsQuery): Promise<readonly DatasetRecord[]>
  /** All versions of a name, the newest first. */
  listVersions(name: string, limit: number): Promise<readonly DatasetRecord[]>
  /** Gives a dataset that was queued its hidden table, or the reason why it has none. */
  finish(finish: DatasetFinish, options?: MutationOptions): Promise<'finished' | 'not-queued'>
  /**
   * Names formats to be made before it counts as ready, unless it does already, and others that
   * need not be any more. `undefined` if there is no such dataset.
   */
  prepare(preparation: DatasetPreparation): Promise<DatasetRecord | undefined>
  /** Lets it live for ever, with privileges of its own, which the principal who asks owns. */
  publish(publication: DatasetPublication, options?: MutationOptions): Promise<DatasetOutcome>
  /** Replaces members of its card, whether its rows are left or not. */
  describe(correction: DatasetCorrection, options?: MutationOptions): Promise<DatasetRecord>
  /** Drops its hidden table, and keeps its card. */
  end(ending: DatasetEnding, options?: MutationOptions): Promise<DatasetOutcome>
  /** Those that were to end before the instant and have not, the longest overdue first. */
  listDue(query: {
    readonly beforeMs: number
    readonly limit: number
  }): Promise<readonly DatasetRecord[]>
}

export type DatasetState = 'queued' | 'ready' | 'failed' | 'expired'
export type DatasetOutcome = 'changed' | 'not-living'

export type DatasetKey =
  | { readonly tableUuid: string }
  | { readonly name: string; readonly version: number }
  | { readonly name: string; readonly nowMs: number }
  /** The newest that was published and has not ended, else the newest that was published. */
  | { readonly name: string; readonly isPublished: true }
  /** The one with this identity that has not ended. */
  | { readonly name: string; readonly identity: string }

/** What people say of a dataset. */
export interface DatasetCard {
  readonly title: string | null
  readonly description: string | null
  readonly creators: readonly DatasetCreator[]
  /** An SPDX identifier or an address. */
  readonly license: string | null
  readonly keywords: readonly string[]
}

export interface DatasetCreator {
  readonly name: string
  /** An ORCID or another address. */
  readonly id?: string | undefined
  readonly affiliation?: string | undefined
}

/** What is known of its rows once it is ready, and is kept when they are gone. */
export interface DatasetFacts {
  readonly rows: number | null
  readonly files: number | null
  readonly bytes: number | null
  /** When the snapshot was made. */
  readonly snapshotAtMs: number
  /** The schema of the source by which it is read. */
  readonly schemaId: number
  readonly columns: readonly DatasetColumn[]
  /** Digest of all that decides what its sources are read to, until its rows are made. */
  readonly readingDigest?: string
  /** The same of just the columns that its rows are read from. */
  readonly columnsDigest?: string
  /** Formats that are still to be made before it counts as ready. */
  readonly preparing?: readonly string[]
}

export interface DatasetColumn {
  readonly name: string
  readonly type: unknown
  readonly nullable: boolean
  readonly description: string | null
}

export interface DatasetRecord {
  /** UUID of its hidden table, and its own. */
  readonly tableUuid: string
  readonly name: string
  /** From 1 on. */
  readonly version: number
  /** SHA-256 in hexadecimal of all that decides its rows. */
  readonly identity: string
  readonly state: DatasetState
  readonly sourceUuid: string
  /** What the source was called. */
  readonly sourceName: string
  readonly snapshotId: bigint
  /** Canonical; `undefined`: the whole snapshot. */
  readonly query: unknown
  readonly card: DatasetCard
  readonly facts: DatasetFacts
  readonly problem: JobProblem | undefined
  readonly createdAtMs: number
  readonly createdBy: string | undefined
  readonly publishedAtMs: number | undefined
  /** `undefined`: it lives for ever. */
  readonly expiresAtMs: number | undefined
  readonly endedAtMs: number | undefined
  /** Privileges on it are those on this table: its source, or itself once it is published. */
  readonly securable: string
  /** Unless it is published, the same privileges are asked of these, too. */
  readonly otherSecurables: readonly string[]
}

/** UUIDs of the tables that a dataset comes from and is read by, unless it has its own readers. */
export function originsOf(
  dataset: Pick<DatasetRecord, 'tableUuid' | 'securable' | 'sourceUuid' | 'otherSecurables'>,
): readonly string[] {
  const { tableUuid, securable, sourceUuid, otherSecurables } = dataset
  return [securable === tableUuid ? sourceUuid : securable, ...otherSecurables]
}

export type NewDataset = Omit<
  DatasetRecord,
  | 'version'
  | 'state'
  | 'problem'
  | 'createdBy'
  | 'publishedAtMs'
  | 'endedAtMs'
  | 'securable'
  | 'otherSecurables'
> & {
  /** UUIDs of its sources beside the first. */
  readonly otherSources?: readonly string[]
  /** Namespace and name are given by the store. */
  readonly table?: NewTable | undefined
  /** The newest version of its name, 0 if there is none, if it must be that. */
  readonly follows?: number | undefined
}

export interface CreatedDataset {
  /**
   * Nothing was changed if it is `expired`, and is to be ended first, or `overtaken` by another
   * version than it was to follow.
   */
  readonly outcome: 'created' | 'exists' | 'expired' | 'overtaken'
  readonly dataset: DatasetRecord
}

export interface ListDatasetsQuery {
  /** Only datasets after this one in the order. */
  readonly after?: { readonly name: string; readonly version: number }
  readonly limit: number
  /** Those that expire before are left out. */
  readonly nowMs: number
  /** Only datasets whose rows one of these may read. */
  readonly readBy?: Readers | undefined
}

export type DatasetFinish = { readonly tableUuid: string } & (
  | { readonly table: NewTable; readonly facts: DatasetFacts }
  | { readonly problem: JobProblem; readonly nowMs: number }
)

export interface DatasetPreparation {
  readonly tableUuid: string
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

/** Whether a job still has something to do for it. */
export function isUnfinished({ state, facts }: Pick<DatasetRecord, 'state' | 'facts'>): boolean {
  return state === 'queued' || (state === 'ready' && (facts.preparing ?? []).length > 0)
}

export interface DatasetCorrection {
  readonly tableUuid: string
  readonly card: Partial<DatasetCard>
}

export interface DatasetPublication {
  readonly tableUuid: string
  readonly nowMs: number
}

export interface DatasetEnding {
  readonly tableUuid: string
  readonly nowMs: number
  /** Only if it was to end by then: somebody may have prolonged it. */
  readonly ifExpiredBy?: number | undefined
  readonly deletions?: readonly NewDeletion[]
}
