import { CatalogError } from '../../core/errors.ts'
import { missingFile, quoted, replacedFile } from '../store-errors.ts'
import type { StoreFault } from './bucket-client.ts'

const RETRY_AFTER_SECONDS = 5

const MISCONFIGURED = {
  'rights-missing':
    'refuses it: the credentials that are set lack the right, or the object is not there and ' +
    'they may not list; give them the right to read, list and, for the warehouse, write and delete',
  'bucket-missing': 'has no such bucket: create it, or correct the location',
  'credentials-refused':
    'does not accept the credentials that are set: check the key and its secret, and for S3 the ' +
    'region (MORAINE_S3_REGION) and the endpoint',
  'credentials-missing': 'needs credentials, and none are found: set ',
  'region-missing': 'needs a region: set MORAINE_S3_REGION',
  'signing-refused':
    'cannot sign links with the credentials that are set: give the key file of a service account ' +
    'in MORAINE_GCS_CREDENTIALS, or its own the right iam.serviceAccounts.signBlob',
  'clock-skewed': "refuses the request's time: set this machine's clock",
  'not-supported':
    'lacks what Moraine needs: that creating, copying and completing an upload in parts replace ' +
    'nothing (If-None-Match), and that reading and deleting hold to a version (If-Match); use a ' +
    'release of the store, or another store, that has them',
} as const satisfies Partial<Record<StoreFault, string>>

/** The refusal that people see; an unexpected error is wrapped with its cause. */
export function bucketError(
  error: unknown,
  fault: StoreFault | undefined,
  location: string,
): unknown {
  if (error instanceof CatalogError) return error
  switch (fault) {
    case undefined:
      return new Error(`ask the store about ${quoted(location)}`, { cause: error })
    case 'missing':
    case 'beyond-end':
      return missingFile(location)
    case 'precondition':
      return replacedFile(location, error)
    case 'busy':
    case 'upload-gone':
      return unavailable(error, location, (named) => {
        return `The store of ${named} does not respond, or is overloaded.`
      })
    case 'damaged':
      return unavailable(error, location, (named) => {
        return (
          `What the store sent of ${named} does not have the checksum that it keeps: it was ` +
          'damaged on its way, or is damaged there.'
        )
      })
    default: {
      const told = MISCONFIGURED[fault] + detailOf(error, fault, location)
      return new CatalogError(
        'storage-misconfigured',
        `The store of ${quoted(location)} ${told}.`,
        { facts: { location: quoted(location), fault }, cause: error },
      )
    }
  }
}

function unavailable(
  cause: unknown,
  location: string,
  detailOf: (named: string) => string,
): CatalogError {
  const named = quoted(location)
  const facts = { location: named, retryAfterSeconds: RETRY_AFTER_SECONDS }
  return new CatalogError('storage-unavailable', detailOf(named), { facts, cause })
}

/** The setting that is missing, or the header that a store does not know, if it names it. */
function detailOf(error: unknown, fault: StoreFault, location: string): string {
  if (fault === 'credentials-missing') {
    return location.startsWith('gs:')
      ? 'MORAINE_GCS_CREDENTIALS to the file of a key'
      : 'MORAINE_S3_CREDENTIALS to a file of them, with the profile behind # if it is not default'
  }
  const { Header: header } = Object(error) as { readonly Header?: unknown }
  const isNamed = fault === 'not-supported' && typeof header === 'string'
  return isNamed ? `; it does not know ${quoted(header)}` : ''
}
