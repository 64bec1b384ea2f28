import type { AnswerKeeper } from '../../core/replay.ts'
import type { Call } from '../../http/route.ts'

/** The parts of a call for a use case whose targets are in the body. */
export interface UseCaseCall {
  readonly keeper: AnswerKeeper
  readonly authorize: Call<unknown, unknown>['authorize']
}

/** The same for a use case that is given paths of files. */
export interface PathsCall extends UseCaseCall {
  readonly requirePaths: Call<unknown, unknown>['requirePaths']
}
