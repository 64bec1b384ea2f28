import type { AnswerKeeper } from '../../core/replay.ts'
import type { Call } from '../../http/route.ts'

/** What a use case needs of its call, when the body says what it is about. */
export interface UseCaseCall {
  readonly keeper: AnswerKeeper
  readonly authorize: Call<unknown, unknown>['authorize']
}
