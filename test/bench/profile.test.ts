import { summarizeProfile } from '../../bench/profile.ts'

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
