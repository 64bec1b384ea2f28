import { ProblemError } from '../../../problem/problems.ts'

export function invalidCredential(detail = 'The key or token is not valid here'): ProblemError {
  return new ProblemError('credential-invalid', detail)
}

export function expiredCredential(detail: string): ProblemError {
  return new ProblemError('credential-expired', detail)
}
