import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { workerData } from 'node:worker_threads'
import { noteSync } from './forgetful-disk.ts'

/** Run as a thread: the local store's own, on a fake of a disk that notes what was synced. */
const { fdatasyncSync, fsyncSync } = fs
fs.fdatasyncSync = (descriptor) => {
  noteSync(workerData.journal, descriptor)
  fdatasyncSync(descriptor)
}
fs.fsyncSync = (descriptor) => {
  noteSync(workerData.journal, descriptor)
  fsyncSync(descriptor)
}
syncBuiltinESMExports()
await import('../../../src/objects/local/local-worker.ts')
