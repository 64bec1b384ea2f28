/** Status and type in the error model of the Iceberg REST specification. */
export interface IcebergError {
  readonly status: number
  readonly type: string
}

/** Everything about one problem code; statuses and documentation are derived from it. */
export interface ProblemRow {
  /** HTTP status on `/v1`. */
  readonly status: number
  /**
   * The same error on `/iceberg`. Clients take 500 to 504 in response to a commit as an unknown
   * outcome, so no definite refusal may have one of these.
   */
  readonly iceberg: IcebergError
  /** A short phrase for people: the `title` of the problem document. */
  readonly title: string
  /** What happened, in one or two sentences. */
  readonly meaning: string
  /** What the client should do next. */
  readonly remedy: string
  /** Whether the same request may succeed later. */
  readonly retry: 'no' | 'yes' | 'after checking'
}

export type ProblemRows = Readonly<Record<string, ProblemRow>>

export const BAD_REQUEST: IcebergError = { status: 400, type: 'BadRequestException' }
export const NOT_FOUND: IcebergError = { status: 404, type: 'NotFoundException' }
export const UNSUPPORTED: IcebergError = { status: 406, type: 'UnsupportedOperationException' }
export const ALREADY_EXISTS: IcebergError = { status: 409, type: 'AlreadyExistsException' }
export const COMMIT_FAILED: IcebergError = { status: 409, type: 'CommitFailedException' }
export const UNPROCESSABLE: IcebergError = { status: 422, type: 'UnprocessableEntityException' }
export const INTERNAL_ERROR: IcebergError = { status: 500, type: 'InternalServerError' }
export const UNAVAILABLE: IcebergError = { status: 503, type: 'ServiceUnavailableException' }
