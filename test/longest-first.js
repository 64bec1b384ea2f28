import Sequencer from '@jest/test-sequencer'

/** Kill runs, and what bounds processor time, which a worker that has run much else would spoil. */
const FIRST = /\.storm\.test\.ts$|\/hostile-bodies\.test\.ts$/

/** Jest's own order, after those that take minutes: the last to begin should be short. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const isFirst = ({ path }) => FIRST.test(path)
    const sorted = super.sort(tests)
    return [...sorted.filter(isFirst), ...sorted.filter((test) => !isFirst(test))]
  }
}
