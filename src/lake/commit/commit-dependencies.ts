import type { Catalog } from '../../catalog/catalog.ts'
import type { Publisher } from '../publish/publisher.ts'
import type { SnapshotDependencies } from '../snapshot/snapshot-dependencies.ts'
import type { CommitQueue } from './commit-queue.ts'

export interface CommitMeter {
  committed(transactions: number): void
  commitRefused(code: string): void
  /** Another commit came first, and this one goes again. */
  commitRetried(): void
  filesStaged(files: number): void
}

/** What a commit takes when its turn has come. */
export interface CommitServices extends SnapshotDependencies {
  readonly catalog: Pick<Catalog, 'tables' | 'snapshots' | 'transactions' | 'paths'>
  readonly publisher: Publisher
  readonly meter: CommitMeter
}

/** What a commit takes, its turn among the commits of its tables included. */
export interface CommitDependencies extends CommitServices {
  readonly commits: CommitQueue
}
