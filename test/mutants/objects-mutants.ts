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
  {
    file: 'src/catalog/sqlite/sqlite-copy.ts',
    tests: POWER_LOSS,
    edits: [
      ['    await handle.sync()\n', ''],
      ['  await makeDurable(temporary)\n', ''],
      ['  await makeDurable(to)\n  await', '  await'],
      [
        '  await rename(temporary, to)\n  await makeDurable(dirname(to))\n',
        '  await rename(temporary, to)\n',
      ],
      ['  await makeDurable(to)\n  await makeDurable(dirname(to))\n', '  await makeDurable(to)\n'],
    ],
  },
  {
    file: 'src/objects/local/local-location.ts',
    tests: ['test/objects/local/local-location.test.ts'],
    edits: [
      ['if (ENDS_LIKE_FOLDER.test(location)) {', 'if (false) {'],
      ['if (isTemporaryName(nameOf(path))) {', 'if (false) {'],
      ['path.startsWith(`${folder}/`)', 'path.startsWith(folder)'],
      ['path === folder || ', ''],
      [`  if (location.startsWith('file://')) return undefined\n`, ''],
    ],
  },
  {
    file: 'src/objects/location-text.ts',
    tests: ['test/objects/local/local-location.test.ts'],
    edits: [
      [`if (path.includes('\\\\')) return`, 'if (false) return'],
      [`if (path.includes('//')) return`, 'if (false) return'],
      [`if (ENCODED_BACKSLASH_OR_DOT.test(path)) return`, 'if (false) return'],
      ['|| Buffer.byteLength(path) > bytesMax', ''],
      [`segments.includes('.') || `, ''],
      [` || segments.includes('..')`, ''],
      [`path.replaceAll(ENCODED_SLASH, '/').split('/')`, `path.split('/')`],
      ['if (LONE_SURROGATE.test(path)) return', 'if (false) return'],
      ['if (CONTROL_CHARACTER.test(path)) return', 'if (false) return'],
      ['%(?:2e|5c|00)', '%(?:2e|5c)'],
    ],
  },
  {
    file: 'src/objects/local/local-roots.ts',
    tests: ['test/objects/local/local-store.test.ts'],
    named: 'link|root|outside|name',
    edits: [
      ['    if (!inside) throw forbiddenLocation(location, this.#access)\n', ''],
      ['realPath !== undefined && this.#roots.some((r) => isWithin(r.realPath, realPath))', 'true'],
      ['    if (links > LINKS_MAX) return undefined\n', ''],
      [`    if (target.path.startsWith('/')) reached = ''\n`, ''],
    ],
  },
  {
    file: 'src/objects/local/local-roots.ts',
    tests: ['test/objects/local-system.test.ts'],
    named: 'without /proc, an opened file',
    edits: [
      ['opened.dev === named.dev && opened.ino === named.ino', 'opened.dev === named.dev'],
      ['opened.dev === named.dev && opened.ino === named.ino ? real', 'true ? real'],
    ],
  },
  {
    file: 'src/objects/local/local-roots.ts',
    tests: ['test/objects/local-system.test.ts'],
    named: 'links exchanged',
    edits: [['      this.requireRealInside(await realPathOf(handle, real), location)\n', '']],
  },
  {
    file: 'src/objects/local/local-sweep.ts',
    tests: ['test/objects/local/local-sweep.test.ts'],
    edits: [
      ['if ((await lstat(path)).mtimeMs >= beforeMs) return false\n', ''],
      ['.mtimeMs >= beforeMs) return', '.mtimeMs > beforeMs) return'],
      ['entry.isFile() && isTemporaryName(entry.name)', 'entry.isFile()'],
      ['if (entry.isDirectory()) folders.push(path)', 'if (false) folders.push(path)'],
      ['      isEmpty = false\n', ''],
      ['mtimeMs >= options.beforeMs || ', ''],
      [' || !(await options.isFree(`${location}${name}`))', ''],
      ["let isEmpty = name !== ''", 'let isEmpty = true'],
    ],
  },
]
