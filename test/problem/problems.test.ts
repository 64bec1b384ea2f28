import { readFile } from 'node:fs/promises'
import { CATALOG_ERROR_CODES } from '../../src/core/errors.ts'
import { problemsMarkdown } from '../../src/problem/problem-markdown.ts'
import { asProblem, PROBLEM_CODES, PROBLEMS, ProblemError } from '../../src/problem/problems.ts'

/** Code, status, Iceberg status, Iceberg type: promised to clients. A new code gets a line here. */
const PROMISED = `
access-off 409 400 BadRequestException
as-at-before-first-snapshot 404 404 NotFoundException
as-at-invalid 400 400 BadRequestException
body-invalid 400 400 BadRequestException
body-too-large 413 413 BadRequestException
catalog-damaged 503 507 ServiceFailureException
ckan-unavailable 503 429 TooManyRequestsException
column-type-unknown 422 400 BadRequestException
commit-conflict 409 409 CommitFailedException
commit-state-unknown 503 500 CommitStateUnknownException
credential-expired 401 419 AuthenticationTimeoutException
credential-in-url 400 400 BadRequestException
credential-invalid 401 401 NotAuthorizedException
credential-missing 401 401 NotAuthorizedException
credential-over-plain-http 403 403 ForbiddenException
data-file-changed 410 404 NotFoundException
data-file-missing 410 404 NotFoundException
dataset-cancelled 409 409 AlreadyExistsException
dataset-gone 410 404 NotFoundException
dataset-immutable 403 403 ForbiddenException
dataset-name-taken 409 409 AlreadyExistsException
dataset-not-found 404 404 NotFoundException
dataset-not-ready 409 404 NotFoundException
dataset-published 409 409 AlreadyExistsException
dataset-source-changed 409 404 NotFoundException
definition-too-large 422 400 BadRequestException
dump-edition-gone 410 404 NotFoundException
dump-not-ready 503 503 ServiceUnavailableException
dump-too-large 507 507 ServiceFailureException
engine-failed 503 503 ServiceUnavailableException
events-expired 410 404 NotFoundException
export-count-mismatch 409 400 BadRequestException
export-file-not-found 404 404 NotFoundException
export-not-found 404 404 NotFoundException
export-outcome-unknown 409 400 BadRequestException
export-row-invalid 422 422 UnprocessableEntityException
export-run-cancelled 409 400 BadRequestException
export-run-not-found 404 404 NotFoundException
export-task-invalid 422 422 UnprocessableEntityException
export-task-unusable 422 422 UnprocessableEntityException
exports-unreadable 503 429 TooManyRequestsException
file-already-in-table 409 409 CommitFailedException
file-being-deleted 409 409 CommitFailedException
file-changed 409 409 CommitFailedException
file-corrupt 422 400 BadRequestException
file-not-found 422 404 NotFoundException
file-not-in-table 422 400 BadRequestException
file-not-parquet 422 400 BadRequestException
file-schema-mismatch 422 400 BadRequestException
file-spans-partitions 422 400 BadRequestException
file-unsupported 422 400 BadRequestException
filter-invalid 400 400 BadRequestException
headers-too-large 431 431 BadRequestException
host-not-allowed 421 421 BadRequestException
idempotency-key-in-use 409 409 CommitFailedException
idempotency-key-reused 422 422 UnprocessableEntityException
identity-provider-unavailable 503 429 TooManyRequestsException
internal 500 500 InternalServerError
job-not-found 404 404 NotFoundException
key-not-found 404 404 NotFoundException
last-admin 409 409 CommitFailedException
location-invalid 400 400 BadRequestException
location-not-allowed 403 403 ForbiddenException
location-taken 409 409 AlreadyExistsException
media-type-unsupported 415 415 BadRequestException
metadata-corrupt 500 500 InternalServerError
method-not-allowed 405 405 BadRequestException
name-invalid 400 400 BadRequestException
namespace-already-exists 409 409 AlreadyExistsException
namespace-not-empty 409 409 NamespaceNotEmptyException
namespace-not-found 404 404 NoSuchNamespaceException
namespace-update-invalid 422 422 UnprocessableEntityException
not-acceptable 406 406 UnsupportedOperationException
not-implemented 501 406 UnsupportedOperationException
origin-not-allowed 403 403 ForbiddenException
overloaded 503 429 TooManyRequestsException
page-token-invalid 400 400 BadRequestException
partitioning-invalid 422 400 BadRequestException
path-not-readable 403 403 ForbiddenException
permission-denied 403 403 ForbiddenException
plan-not-found 404 404 NoSuchPlanIdException
plan-task-not-found 404 404 NoSuchPlanTaskException
precondition-failed 412 412 BadRequestException
precondition-required 428 428 BadRequestException
query-invalid 400 400 BadRequestException
query-too-costly 422 400 BadRequestException
quota-exceeded 429 429 TooManyRequestsException
range-not-satisfiable 416 416 BadRequestException
request-invalid 400 400 BadRequestException
resource-taken 409 400 BadRequestException
result-too-large 413 413 BadRequestException
role-not-found 404 404 NotFoundException
route-not-found 404 404 NotFoundException
row-invalid 422 400 BadRequestException
schema-change-invalid 422 400 BadRequestException
schema-change-rewrites-files 501 406 UnsupportedOperationException
schema-invalid 422 400 BadRequestException
signature-refused 403 403 ForbiddenException
snapshot-not-found 404 404 NotFoundException
source-refused 422 422 UnprocessableEntityException
source-unavailable 409 400 BadRequestException
storage-full 507 507 ServiceFailureException
storage-misconfigured 503 507 ServiceFailureException
storage-unavailable 503 429 TooManyRequestsException
table-already-exists 409 409 AlreadyExistsException
table-not-found 404 404 NoSuchTableException
table-property-invalid 422 400 BadRequestException
table-restricted 403 403 ForbiddenException
transaction-aborted 409 409 CommitFailedException
transaction-committed 409 409 CommitFailedException
transaction-expired 409 409 CommitFailedException
transaction-not-found 404 404 NotFoundException
transaction-too-large 422 400 BadRequestException
update-invalid 400 400 BadRequestException
upload-too-slow 408 408 BadRequestException
view-already-exists 409 409 AlreadyExistsException
view-not-found 404 404 NoSuchViewException
warehouse-unavailable 503 507 ServiceFailureException
`

test('codes, statuses and Iceberg types are those that clients were promised', () => {
  const lines = PROBLEM_CODES.map((code) => {
    const { status, iceberg } = PROBLEMS[code]
    return `${code} ${status} ${iceberg.status} ${iceberg.type}`
  })
  expect(lines).toEqual(PROMISED.trim().split('\n'))
})

test('each code that core and lake throw has a row', () => {
  expect(CATALOG_ERROR_CODES.filter((code) => PROBLEMS[code] === undefined)).toEqual([])
  expect([...CATALOG_ERROR_CODES]).toEqual([...CATALOG_ERROR_CODES].sort())
})

test('no code stands in two areas', async () => {
  const text = await readFile(new URL('../../src/problem/problems.ts', import.meta.url), 'utf8')
  const names = [...text.matchAll(/from '(\.\/[a-z-]+-problems\.ts)'/g)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(5)
  const areas = await Promise.all(
    names.map((name) => import(new URL(`../../src/problem/${name}`, import.meta.url).href)),
  )
  const codes = areas.flatMap((area) =>
    Object.values(area).flatMap((rows) => Object.keys(rows ?? {})),
  )
  expect(codes.sort()).toEqual(PROBLEM_CODES)
})

test('a title is a short phrase of its own; meaning and remedy are sentences', () => {
  const titles = PROBLEM_CODES.map((code) => PROBLEMS[code].title)
  expect(new Set(titles).size).toBe(titles.length)
  for (const code of PROBLEM_CODES) {
    const { title, meaning, remedy } = PROBLEMS[code]
    expect([code, title]).toEqual([code, expect.stringMatching(/^[A-Z][A-Za-z ]{5,39}$/)])
    expect([code, meaning]).toEqual([code, expect.stringMatching(/^[A-Z].{10,}\.$/)])
    expect([code, remedy]).toEqual([code, expect.stringMatching(/^[`A-Z/].{5,}\.$/)])
  }
})

test('docs/problems.md says what the rows say: run `npm run openapi`', async () => {
  const text = await readFile(new URL('../../docs/problems.md', import.meta.url), 'utf8')
  expect(text).toBe(problemsMarkdown())
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, code]) => code)
  expect(headings).toEqual(PROBLEM_CODES)
})

test('an error is a problem only if it carries a code', () => {
  const refusal = new ProblemError('view-not-found', 'no such view', { facts: { view: 'a' } })
  expect(asProblem(refusal)).toBe(refusal)
  expect(refusal).toMatchObject({ name: 'ProblemError', facts: { view: 'a' } })
  expect(asProblem(Object.assign(new Error('other'), { code: 'view-not-found' }))).toBe(undefined)
  expect(asProblem(undefined)).toBe(undefined)
})
