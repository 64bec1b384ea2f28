import type { DumpDependencies } from './dump/dump-dependencies.ts'
import type { Dumps } from './dump/dumps.ts'
import type { CommitDependencies } from './transactions.ts'

/** Everything that the API calls on. */
export type ServiceDependencies = CommitDependencies & DumpDependencies & { readonly dumps: Dumps }
