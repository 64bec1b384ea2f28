import type { RequirePaths } from '../../src/core/access/require-paths.ts'
import * as staging from '../../src/lake/commit/staging.ts'
import * as transactions from '../../src/lake/commit/transactions.ts'

/** Lets every file be named by path, as for whoever may read all of them. */
export const READS_ALL: RequirePaths = () => undefined

type Trusted<Request> = Omit<Request, 'requirePaths'>
type Commit = Parameters<typeof transactions.commitFiles>
type Stage = Parameters<typeof staging.stageFiles>
type Inspect = Parameters<typeof staging.inspectFiles>

/** As `commitFiles` for a caller who may name every file. */
export function commitFiles(deps: Commit[0], request: Trusted<Commit[1]>, keep?: Commit[2]) {
  return transactions.commitFiles(deps, { ...request, requirePaths: READS_ALL }, keep)
}

/** As `stageFiles` for such a caller. */
export function stageFiles(deps: Stage[0], request: Trusted<Stage[1]>) {
  return staging.stageFiles(deps, { ...request, requirePaths: READS_ALL })
}

/** As `inspectFiles` for such a caller. */
export function inspectFiles(deps: Inspect[0], state: Inspect[1], request: Trusted<Inspect[2]>) {
  return staging.inspectFiles(deps, state, { ...request, requirePaths: READS_ALL })
}

/** A file that such a caller names. */
export function givenFile(location = '') {
  return { location, requirePaths: READS_ALL }
}
