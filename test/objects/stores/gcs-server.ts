import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../free-port.ts'
import type { PublicKeys } from './gcs-signature.ts'
import { findStoreProgram, killStore, whyNoStore } from './store-program.ts'
import { openStrictGcsFront } from './strict-gcs-front.ts'

const PROGRAM = 'fake-gcs-server'
const READY_ATTEMPTS_MAX = 300

const EMAIL = 'moraine@example.iam.gserviceaccount.com'

/**
 * A stand-in for Google's own service, which cannot be had: it checks no credentials. Behind its
 * front it checks signatures and generations.
 */
export interface FakeGcsServer {
  readonly endpoint: string
  /** Whose signatures it takes. */
  readonly keys: PublicKeys
  /** A bucket for all. */
  readonly bucket: string
  /** The path of a key that signs, as those of Google do. */
  readonly keyFile: string
  stop(): Promise<void>
}

export async function startFakeGcs(): Promise<FakeGcsServer> {
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
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const keys = new Map([[EMAIL, publicKey.export({ type: 'spki', format: 'pem' }).toString()]])
  const front = await openStrictGcsFront(endpoint, { keys })
  const folder = mkdtempSync(join(tmpdir(), 'moraine-gcs-'))
  const keyFile = join(folder, 'key.json')
  const key = {
    type: 'service_account',
    client_email: EMAIL,
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
  writeFileSync(keyFile, JSON.stringify(key))
  return {
    ...{ endpoint: front.endpoint, keys, bucket, keyFile },
    stop: async () => {
      await front.close()
      process.off('exit', killAtExit)
      await killStore(child)
      rmSync(folder, { recursive: true })
    },
  }
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
