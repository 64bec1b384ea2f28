import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { freePort } from '../../free-port.ts'
import { findStoreProgram, killStore, whyNoStore } from './store-program.ts'

type ServerName = 'weed' | 'versitygw'

const READY_ATTEMPTS_MAX = 300
/** Users of the server: one may do all, the other read and list only. */
const WRITER = { accessKeyId: 'moraine-writer', secretAccessKey: 'secret-of-the-writer' }
const READER = { accessKeyId: 'moraine-reader', secretAccessKey: 'secret-of-the-reader' }

export interface S3Server {
  readonly endpoint: string
  readonly region: string
  readonly readCredentials: typeof READER
  readonly writeCredentials: typeof WRITER
  /** A credentials file of AWS: the writer is its default profile, `reader` the other. */
  readonly keysFile: string
  /** A bucket for all. */
  readonly bucket: string
  /** ARN of a role that may do all, on a server with roles, which issues its tokens, too. */
  readonly role: string
  /** SIGKILL, and a start with the same data and address after the pause. */
  crash(pauseMs: number): Promise<void>
  stop(): Promise<void>
}

const ROLE = 'arn:aws:iam::000000000000:role/engines'

export async function startS3(
  name: ServerName,
  { hasRoles = false }: { readonly hasRoles?: boolean } = {},
): Promise<S3Server> {
  const program = findStoreProgram(name)
  if (program === undefined) throw new Error(whyNoStore(name))
  const folder = mkdtempSync(join(tmpdir(), `moraine-${name}-`))
  const { port, launch } =
    name === 'weed' ? await weed(program, folder, hasRoles) : await gateway(program, folder)
  let child = launch()
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const endpoint = `http://127.0.0.1:${port}`
  const region = 'us-east-1'
  const admin = new S3Client({ endpoint, region, forcePathStyle: true, credentials: WRITER })
  await untilReady(admin, child)
  const bucket = 'moraine-tests'
  await admin.send(new CreateBucketCommand({ Bucket: bucket }))
  // The gateway has one user.
  const readCredentials = name === 'weed' ? READER : WRITER
  return {
    ...{ endpoint, region, bucket, readCredentials, writeCredentials: WRITER, role: ROLE },
    keysFile: writeKeys(folder, { default: WRITER, reader: readCredentials }),
    crash: async (pauseMs) => {
      await killStore(child)
      await sleep(pauseMs)
      child = launch()
      await untilReady(admin, child)
    },
    stop: async () => {
      process.off('exit', killAtExit)
      admin.destroy()
      await killStore(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function writeKeys(folder: string, profiles: Readonly<Record<string, typeof WRITER>>): string {
  const path = join(folder, 'keys')
  const lines = Object.entries(profiles).flatMap(([profile, { accessKeyId, secretAccessKey }]) => [
    `[${profile}]`,
    `aws_access_key_id=${accessKeyId}`,
    `aws_secret_access_key=${secretAccessKey}`,
  ])
  writeFileSync(path, lines.join('\n'), { mode: 0o600 })
  return path
}

async function weed(program: string, folder: string, hasRoles: boolean) {
  const config = join(folder, 'users.json')
  const user = (
    name: string,
    { accessKeyId, secretAccessKey }: typeof WRITER,
    actions: string[],
  ) => ({
    ...{ name, actions },
    credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }],
  })
  const identities = [user('writer', WRITER, ['Admin']), user('reader', READER, ['Read', 'List'])]
  writeFileSync(config, JSON.stringify({ identities }))
  // Each has a second port for gRPC, 10,000 above.
  const [master, volume, filer, port] = await portsWithSeconds(4)
  const data = join(folder, 'data')
  mkdirSync(data)
  const words = [
    ...['server', `-dir=${data}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1'],
    ...[`-master.port=${master}`, `-volume.port=${volume}`, '-volume.max=50'],
    ...['-master.volumeSizeLimitMB=64', '-filer', `-filer.port=${filer}`, '-s3'],
    ...[`-s3.port=${port}`, '-s3.port.iceberg=0', '-s3.port.lance=0', `-s3.config=${config}`],
    ...(hasRoles ? [`-s3.iam.config=${writeRoles(folder)}`] : []),
  ]
  const launch = () => spawn(program, words, { cwd: folder, stdio: 'ignore' })
  return { port, launch }
}

/** One role, which its users may assume; sessions are held to their policies. */
function writeRoles(folder: string): string {
  const path = join(folder, 'roles.json')
  const document = (statement: object) => ({ Version: '2012-10-17', Statement: [statement] })
  const allows = (action: string, more: object) => ({ Effect: 'Allow', Action: [action], ...more })
  const all = document(allows('s3:*', { Resource: ['*'] }))
  const anybody = document(allows('sts:AssumeRole', { Principal: { AWS: '*' } }))
  const signingKey = Buffer.from('a key of tests, with 32 characters').toString('base64')
  const life = { tokenDuration: '1h', maxSessionLength: '12h' }
  const roles = {
    sts: { ...life, issuer: 'tests', signingKey },
    policy: { defaultEffect: 'Deny', storeType: 'memory' },
    policies: [{ name: 'all', document: all }],
    roles: [
      { roleName: 'engines', roleArn: ROLE, trustPolicy: anybody, attachedPolicies: ['all'] },
    ],
  }
  writeFileSync(path, JSON.stringify(roles))
  return path
}

async function gateway(program: string, folder: string) {
  const data = join(folder, 'data')
  mkdirSync(data)
  const port = await freePort()
  const env = {
    ...process.env,
    ROOT_ACCESS_KEY: WRITER.accessKeyId,
    ROOT_SECRET_KEY: WRITER.secretAccessKey,
  }
  const words = ['--port', `127.0.0.1:${port}`, 'posix', data]
  return { port, launch: () => spawn(program, words, { stdio: 'ignore', env }) }
}

/** Free ports that have a free one 10,000 above them. */
async function portsWithSeconds(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = 12_000 + Math.floor(Math.random() * 15_000)
    const areFree = Promise.all([port, port + 10_000].map((each) => freePort(each)))
    const isUsable =
      !ports.includes(port) &&
      (await areFree.then(
        () => true,
        () => false,
      ))
    if (isUsable) ports.push(port)
  }
  return ports
}

async function untilReady(client: S3Client, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS_MAX; attempt++) {
    if (child.exitCode !== null) throw new Error(`the S3 server ended with ${child.exitCode}`)
    const isReady = await client.send(new ListBucketsCommand({})).then(
      () => true,
      () => false,
    )
    if (isReady) return
    await sleep(100)
  }
  throw new Error('the S3 server does not respond')
}
