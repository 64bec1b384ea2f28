import { resolve } from 'node:path'
import { z } from 'zod'
import type { Read } from './config-values.ts'

/** Where files in buckets are, and what engines get of them. */
export interface StoreConfig {
  readonly s3: {
    /** The SDK looks for its own default without. */
    readonly region: string | undefined
    /** The address of a store that is compatible with S3; AWS without. */
    readonly endpoint: string | undefined
    /** Whether the bucket is in the path of the address, in place of its host name. */
    readonly forcePathStyle: boolean
    /** A file of credentials as AWS has them, and its profile; the SDK's own defaults without. */
    readonly readCredentials: ProfilePlace | undefined
    readonly writeCredentials: ProfilePlace | undefined
    /** The address that clients of links know the store by, if it is another. */
    readonly publicEndpoint: string | undefined
  }
  readonly gcs: {
    /** The address of an emulator, or a private one of Google; the public one without. */
    readonly endpoint: string | undefined
    /** Whether that address is given tokens of the credentials, as the public one is. */
    readonly sendsTokens: boolean
    /** Absolute paths of keys; the application's default credentials without. */
    readonly readKeyFile: string | undefined
    readonly writeKeyFile: string | undefined
  }
  readonly vending: VendingConfig
}

/** What engines are given to get at the files of tables themselves. */
interface VendingConfig {
  /** Credentials and signatures for those who ask for them. */
  readonly isOn: boolean
  /** ARN of the role that is assumed for engines, with a policy for one table. */
  readonly s3Role: string | undefined
  /** The address of the token service; AWS's own, or that of a compatible store, without. */
  readonly s3StsEndpoint: string | undefined
  /** Keys that are given to engines as they are. */
  readonly s3EngineCredentials: ProfilePlace | undefined
  /** The address of the Security Token Service, if it is not Google's. */
  readonly gcsStsEndpoint: string | undefined
}

interface ProfilePlace {
  /** Absolute. */
  readonly path: string
  readonly profile: string
}

export const Nothing = z.literal('').transform(() => undefined)

const OnOff = z.enum(['on', 'off'])

const KeyFile = z.union([Nothing, z.string().transform((text) => resolve(text))])

const CredentialsFile = z.union([
  Nothing,
  z.string().transform((text): ProfilePlace => {
    const [path = '', profile = ''] = text.split('#')
    return { path: resolve(path), profile: profile || 'default' }
  }),
])

/** What a setting of a file of credentials may be, for the message that refuses another value. */
const CREDENTIALS_FILE = 'a file of credentials like /etc/moraine/s3, or /etc/moraine/s3#profile'

function readVending(read: Read, endpoint: (name: string) => string | undefined): VendingConfig {
  return {
    isOn: read('MORAINE_VEND', 'off', 'on or off', OnOff) === 'on',
    s3Role: read(
      'MORAINE_S3_VEND_ROLE',
      '',
      'the ARN of a role, like arn:aws:iam::123456789012:role/engines',
      z.union([Nothing, z.string().regex(/^arn:[a-z-]+:iam::\d*:role\/[\w+=,.@/-]+$/)]),
    ),
    s3StsEndpoint: endpoint('MORAINE_S3_STS_ENDPOINT'),
    s3EngineCredentials: read(
      'MORAINE_S3_CREDENTIALS_ENGINES',
      '',
      CREDENTIALS_FILE,
      CredentialsFile,
    ),
    gcsStsEndpoint: endpoint('MORAINE_GCS_STS_ENDPOINT'),
  }
}

/** `Address` reads one that may be left out. */
export function readStores(read: Read, Address: z.ZodType<string | undefined>): StoreConfig {
  const endpoint = (name: string) =>
    read(name, '', 'an address like http://127.0.0.1:9000, without a path', Address)
  const s3Endpoint = endpoint('MORAINE_S3_ENDPOINT')
  const credentials = (name: string) => read(name, '', CREDENTIALS_FILE, CredentialsFile)
  const key = (name: string) =>
    read(name, '', 'the file of a key, like /etc/moraine/gcs.json', KeyFile)
  const writeCredentials = credentials('MORAINE_S3_CREDENTIALS')
  const writeKeyFile = key('MORAINE_GCS_CREDENTIALS')
  return {
    s3: {
      region: read(
        'MORAINE_S3_REGION',
        '',
        'a region like eu-central-1',
        z.union([Nothing, z.string().regex(/^[a-z0-9-]+$/)]),
      ),
      endpoint: s3Endpoint,
      forcePathStyle: read(
        'MORAINE_S3_PATH_STYLE',
        s3Endpoint === undefined ? 'false' : 'true',
        'true or false',
        z.enum(['true', 'false']).transform((text) => text === 'true'),
      ),
      readCredentials: credentials('MORAINE_S3_CREDENTIALS_RO') ?? writeCredentials,
      writeCredentials,
      publicEndpoint: endpoint('MORAINE_S3_PUBLIC_ENDPOINT'),
    },
    gcs: {
      endpoint: endpoint('MORAINE_GCS_ENDPOINT'),
      sendsTokens: read('MORAINE_GCS_ENDPOINT_AUTH', 'off', 'on or off', OnOff) === 'on',
      readKeyFile: key('MORAINE_GCS_CREDENTIALS_RO') ?? writeKeyFile,
      writeKeyFile,
    },
    vending: readVending(read, endpoint),
  }
}
