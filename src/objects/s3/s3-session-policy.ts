import type { BucketPlace } from '../bucket/bucket-location.ts'
import type { FolderRight } from '../object-vending.ts'

const ACTIONS = {
  read: ['s3:GetObject'],
  write: [
    ...['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
    ...['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
  ],
} as const

/**
 * What temporary credentials may do at most: nothing but what lies below one folder of a bucket.
 * Written without spaces, for AWS takes 2,048 characters.
 */
export function sessionPolicy(
  { bucket, key }: BucketPlace,
  { right, partition }: { readonly right: FolderRight; readonly partition: string },
): string {
  const arn = `arn:${partition}:s3:::${bucket}`
  const below = key === '' ? '*' : `${literal(key)}/*`
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ACTIONS[right], Resource: `${arn}/${below}` },
      {
        Effect: 'Allow',
        Action: 's3:ListBucket',
        Resource: arn,
        Condition: { StringLike: { 's3:prefix': below } },
      },
    ],
  })
}

/** A key as it is spelled where `*`, `?` and `$` mean something. */
function literal(key: string): string {
  return key.replaceAll(/[*?$]/g, (character) => `\${${character}}`)
}
