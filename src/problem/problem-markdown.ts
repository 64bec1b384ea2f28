import { PROBLEM_CODES, PROBLEMS, type ProblemCode } from './problems.ts'

/** Contents of docs/problems.md. */
export function problemsMarkdown(): string {
  return [
    '# Problems',
    '',
    'Every error is an `application/problem+json` document (RFC 9457). Switch on its `type`, which',
    'never changes: `/problems/` and one of the codes below. `title` and `detail` are for people.',
    '`instance` is the request id, which is also in the log. Below `/iceberg` an error is',
    '`{"error": {"message", "type", "code"}}` instead, as the Iceberg REST specification says.',
    '',
    ...PROBLEM_CODES.flatMap((code) => ['', ...problemLines(code)]).slice(1),
    '',
  ].join('\n')
}

/** The section about one problem, for `/problems/{code}`. */
export function problemMarkdown(code: ProblemCode): string {
  return `${problemLines(code).join('\n')}\n`
}

function problemLines(code: ProblemCode): readonly string[] {
  const { status, iceberg, title, meaning, remedy, retry } = PROBLEMS[code]
  return [
    `## ${code}`,
    '',
    `${title}. ${meaning}`,
    '',
    `- Status: ${status}; on \`/iceberg\` ${iceberg.status} \`${iceberg.type}\``,
    `- What to do: ${remedy}`,
    `- Retry: ${retry}`,
  ]
}
