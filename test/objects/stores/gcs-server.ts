import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../free-port.ts'
import type { PublicKeys } from './gcs-signature.ts'
import { accountJudge, boundedJudge } from './gcs-tokens.ts'
import { findStoreProgram, killStore, whyNoStore } from './store-program.ts'
import { openStrictGcsFront } from './strict-gcs-front.ts'
import type { StsStandIn } from './sts-stand-in.ts'

const PROGRAM = 'fake-gcs-server'
const READY_ATTEMPTS_MAX = 300

const EMAIL = 'moraine@example.iam.gserviceaccount.com'
const READER = 'moraine-reader@example.iam.gserviceaccount.com'
/** Keys of another universe than Google's own: their tokens are made without asking Google. */
const UNIVERSE = 'universe.test'

/**
 * A stand-in for Google's own service, which cannot be had: it checks no credentials. Behind its
 * front it checks signatures and generations, and tokens if that is wished for.
 */
export interface FakeGcsServer {
  readonly endpoint: string
  /** Whose signatures it takes. */
  readonly keys: PublicKeys
  /** A bucket for all. */
  readonly bucket: string
  /** The path of a key that signs, as those of Google do. */
  readonly keyFile: string
  /** Where tokens are checked, the key that may read, and nothing else; else the same. */
  readonly readKeyFile: string
  /** Whose keys these are. */
  readonly accounts: { readonly reads: string; readonly writes: string }
  stop(): Promise<void>
}

export async function startFakeGcs({
  checksTokens = false,
  issuer,
}: {
  /** Whether only its own accounts are let in, each for what is its own. */
  readonly checksTokens?: boolean
  /** Whose tokens are let in, instead. */
  readonly issuer?: Pick<StsStandIn, 'allows' | 'isOwn'>
} = {}): Promise<FakeGcsServer> {
  const program = findStoreProgram(PROGRAM)
  if (program === undefined) throw new Error(whyNoStore(PROGRAM))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn(
    program,
    [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory'],
      ...['-public-host', `127.0.0.1:${port}`, '-external-url', endpoint, '-log-level', 'error'],
    ],
    { stdio: 'ignore' },
  )
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const bucket = 'moraine-tests'
  await untilCreated(endpoint, bucket)
  const folder = mkdtempSync(join(tmpdir(), 'moraine-gcs-'))
  const writer = makeAccount(folder, EMAIL, checksTokens)
  const reader = checksTokens ? makeAccount(folder, READER, checksTokens) : writer
  const keys = new Map([writer, reader].map(({ email, publicKey }) => [email, publicKey]))
  const rights = new Map([
    [EMAIL, 'write'],
    [READER, 'read'],
  ] as const)
  const ofAccounts = checksTokens ? accountJudge(keys, rights) : undefined
  const judge = issuer === undefined ? ofAccounts : boundedJudge(issuer)
  const front = await openStrictGcsFront(endpoint, { keys, ...(judge !== undefined && { judge }) })
  return {
    ...{ endpoint: front.endpoint, keys, bucket },
    ...{ keyFile: writer.keyFile, readKeyFile: reader.keyFile },
    accounts: { reads: reader.email, writes: writer.email },
    stop: async () => {
      await front.close()
      process.off('exit', killAtExit)
      await killStore(child)
      rmSync(folder, { recursive: true })
    },
  }
}

/** A service account with a key as Google gives them. */
function makeAccount(folder: string, email: string, isOfUniverse: boolean) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const key = {
    ...{ type: 'service_account', client_email: email },
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ...(isOfUniverse && { universe_domain: UNIVERSE }),
  }
  const keyFile = join(folder, `${email}.json`)
  writeFileSync(keyFile, JSON.stringify(key))
  return { email, keyFile, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

async function untilCreated(endpoint: string, bucket: string): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS_MAX; attempt++) {
    const response = await fetch(`${endpoint}/storage/v1/b?project=moraine`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: bucket }),
    }).catch(() => undefined)
    if (response?.ok) return
    await sleep(100)
  }
  throw new Error('the server does not respond')
}
