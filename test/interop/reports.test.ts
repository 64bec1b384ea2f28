import { judgeByList, missing, parseExpectedFailures } from '../../interop/expected-failures.ts'
import { parseJunitReport } from '../../interop/junit-report.ts'
import { parsePrinted } from '../../interop/printed-checks.ts'

const REPORT = `<?xml version="1.0"?>
<testsuite name="kit" tests="4">
<properties><property name="a" value="&lt;testcase name=&quot;no&quot;/&gt;"/></properties>
<testcase name="passes()" classname="org.example.Kit" time="0.25"/>
<testcase name="fails(int)[2]" classname="org.example.Kit" time="1">
<failure message="expected &lt;1&gt; &amp; got &quot;2&quot;" type="x"><![CDATA[trace
	at org.example.Kit]]></failure>
<system-out><![CDATA[unique-id: ]]></system-out>
</testcase>
<testcase name="breaks" classname="test_kit" time="0"><error type="y"><![CDATA[no
  message	at org.example
	at org.example]]></error></testcase>
<testcase name="aborts()" classname="org.example.Kit" time="0"><skipped/></testcase>
</testsuite>`

test('a report tells of each test what became of it, and why', () => {
  expect(parseJunitReport(REPORT)).toEqual([
    { name: 'Kit#passes', outcome: 'passed', reason: '', seconds: 0.25 },
    { name: 'Kit#fails(int)[2]', outcome: 'failed', reason: 'expected <1> & got "2"', seconds: 1 },
    { name: 'test_kit#breaks', outcome: 'failed', reason: 'no message at org.example', seconds: 0 },
    { name: 'Kit#aborts', outcome: 'skipped', reason: '', seconds: 0 },
  ])
})

test('a failure is forgiven by its name and reason only', () => {
  const list = parseExpectedFailures('# comment\n\nKit#fails(int)[2]: not ours: a: b\n')
  const outcomes = judgeByList(parseJunitReport(REPORT), list).map((r) => [r.outcome, r.reason])
  expect(outcomes[1]).toEqual(['skipped', 'not ours: a: b'])
  expect(outcomes[2]?.[0]).toBe('failed')
})

test('the list has to be true: what passes, and what is not there, must not be on it', () => {
  const list = parseExpectedFailures('Kit#passes: why\nKit#gone: why')
  const failed = judgeByList(parseJunitReport(REPORT), list).filter((r) => r.outcome === 'failed')
  expect(failed.map((r) => r.name)).toEqual([
    'Kit#passes',
    'Kit#fails(int)[2]',
    'test_kit#breaks',
    'Kit#gone',
  ])
})

test('a line of the list without a reason is refused', () => {
  expect(() => parseExpectedFailures('Kit#passes')).toThrow("not 'test: reason': Kit#passes")
})

test('a machine that lacks a tool is red where tools are required, and skips elsewhere', () => {
  const outcome = (obstacle: string, isRequired: boolean) =>
    missing('kit', obstacle, { isRequired }).outcome
  expect(outcome('no JDK is installed', false)).toBe('skipped')
  expect(outcome('no JDK is installed', true)).toBe('failed')
  expect(outcome('takes long; `make interop-all` runs it', true)).toBe('skipped')
})

test('what a program prints tells of each check what became of it, and why', () => {
  const text = '2026/01/01 a warning\npassed one, two\nfailed three: found 1: not 2\n'
  expect(parsePrinted(text, { suite: 'go', code: 0 })).toEqual([
    { name: 'go#one, two', outcome: 'passed', reason: '', seconds: 0 },
    { name: 'go#three', outcome: 'failed', reason: 'found 1: not 2', seconds: 0 },
  ])
})

test.each<[string, string, number | 'timed-out']>([
  ['ends in the middle', 'passed one\n', 2],
  ['takes too long', 'passed one\n', 'timed-out'],
  ['prints nothing', '', 0],
])('a program that %s has failed', (_what, text, code) => {
  const failed = parsePrinted(text, { suite: 'go', code }).filter((r) => r.outcome === 'failed')
  expect(failed.map((r) => r.name)).toEqual(['go#run'])
})
