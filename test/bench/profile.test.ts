import { secondsBelow, summarizeProfile } from '../../bench/profile.ts'

function node(id: number, functionName: string, url: string) {
  return { id, callFrame: { functionName, url, lineNumber: id } }
}

test('a profile is summed up by function and by place, without the idle time', () => {
  const { seconds, functions, places } = summarizeProfile({
    nodes: [
      node(1, '(idle)', ''),
      node(2, '(garbage collector)', ''),
      node(3, 'commitBatch', 'file:///x/src/services/commit.ts'),
      node(4, '', 'file:///x/node_modules/@a/b/node_modules/@c/d/lib/e.js'),
      node(5, 'writev', ''),
      node(6, 'onread', 'node:internal/stream_base_commons'),
    ],
    samples: [1, 3, 2, 4, 3, 5, 6],
    timeDeltas: [5_000_000, 300_000, 200_000, 100_000, 300_000, 50_000, 50_000],
    startTime: 0,
  })
  expect(seconds).toBe(1)
  expect(functions.map(({ name }) => name)).toEqual([
    'commitBatch  src/services/commit.ts, line 4',
    '(garbage collector)  ',
    '(anonymous)  node_modules/@a/b/node_modules/@c/d/lib/e.js, line 5',
    'writev  ',
    'onread  node:internal/stream_base_commons, line 7',
  ])
  expect(places).toEqual([
    { name: 'src/services', percent: 60 },
    { name: '(garbage collector)', percent: 20 },
    { name: 'package @c/d', percent: 10 },
    { name: 'V8 and native code', percent: 5 },
    { name: 'node:internal/stream_base_commons', percent: 5 },
  ])
})

test('functions of such files have the time of what they call, in a span of time', () => {
  const profile = {
    nodes: [
      { ...node(1, '(root)', ''), children: [2, 3, 6] },
      node(2, '(idle)', ''),
      { ...node(3, 'authorize', 'file:///x/src/modules/access/book.js'), children: [4] },
      { ...node(4, 'hash', 'node:crypto'), children: [5] },
      node(5, 'update', ''),
      node(6, 'hash', 'node:crypto'),
    ],
    samples: [6, 2, 3, 5, 6, 5],
    timeDeltas: [100, 100, 100, 300, 600, 1_000],
    startTime: 1_000,
  }
  const span = { fromUs: 1_150, toUs: 2_500, isBelow: /\/modules\/access\// }
  expect(secondsBelow(profile, span)).toBe(0.0004)
})
