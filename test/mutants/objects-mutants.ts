import type { MutantGroup } from './mutant.ts'

const POWER_LOSS = ['test/objects/power-loss/power-loss.test.ts']

/** Bugs in the object store. */
export const OBJECTS: readonly MutantGroup[] = [
  {
    file: 'src/objects/local/local-store.ts',
    tests: POWER_LOSS,
    edits: [
      ['      await handle.datasync()\n', ''],
      ['Promise.all([folder.sync(), unlink', 'Promise.all([unlink'],
      ['        await folder.sync()\n        return linked', '        return linked'],
      ['    await syncFile(path)\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-folders.ts',
    tests: POWER_LOSS,
    edits: [
      ['    await this.#handle.sync()\n', ''],
      ['      await folder.sync()\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-links.ts',
    tests: POWER_LOSS,
    edits: [
      ['  await folder.sync()\n', ''],
      ['    await handle.datasync()\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-worker.ts',
    tests: POWER_LOSS,
    edits: [
      ['    fdatasyncSync(file)\n', ''],
      ['    fsyncSync(open)\n', ''],
      [
        '    writeFully(file, bytes)\n    fdatasyncSync(file)',
        '    fdatasyncSync(file)\n    writeFully(file, bytes)',
      ],
    ],
  },
]
