import type { BucketPlace } from '../bucket/bucket-location.ts'
import type { FolderRight } from '../object-vending.ts'

/** Neither may change who else may do what. */
const ROLES = { read: 'roles/storage.objectViewer', write: 'roles/storage.objectUser' } as const

/**
 * What a token may do at most: nothing but what lies below one folder of a bucket, in JSON. As in
 * "Credential Access Boundaries" of Google's IAM: an object is asked for by its name, a list by its
 * prefix, and each expression is in CEL, whose texts may be spelled as those of JSON.
 */
export function accessBoundary({ bucket, key }: BucketPlace, right: FolderRight): string {
  const below = key === '' ? '' : `${key}/`
  const named = JSON.stringify(`projects/_/buckets/${bucket}/objects/${below}`)
  const listed = JSON.stringify(below)
  const rule = {
    availableResource: `//storage.googleapis.com/projects/_/buckets/${bucket}`,
    availablePermissions: [`inRole:${ROLES[right]}`],
    ...(below !== '' && {
      availabilityCondition: {
        expression:
          `resource.name.startsWith(${named}) || ` +
          `api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith(${listed})`,
      },
    }),
  }
  return JSON.stringify({ accessBoundary: { accessBoundaryRules: [rule] } })
}
