import type { MutantGroup } from './mutant.ts'

const STITCH = ['test/formats/parquet/stitch/stitch-in-turns.test.ts']
const PARTS = ['test/threads/value-parts.test.ts']

/** Bugs by which long work would hold others, or keep what it is done with. */
export const TURNS: readonly MutantGroup[] = [
  {
    file: 'src/core/bounded.ts',
    tests: ['test/core/bounded.test.ts'],
    named: '^inWindow',
    edits: [
      ['begun.length < atOnce', 'begun.length <= atOnce'],
      [
        '      yield await first\n',
        '      const result = await first\n      if (next < items.length) ' +
          'begun.push(work(items[next] as Item, next++))\n      yield result\n',
      ],
      ['    await Promise.allSettled(begun)\n', ''],
      ['const first = begun.shift()', 'const first = begun.pop()'],
    ],
  },
  {
    file: 'src/formats/parquet/stitch/stitch-in-turns.ts',
    tests: STITCH,
    edits: [
      ['inWindow(items, atOnce, read)', 'inWindow(items, items.length, read)'],
      ['part === undefined || part.key !== key', 'part === undefined'],
      ['planner = undefined\n', 'return undefined\n'],
      ['    await turn()\n', ''],
      ['runStepsInTurns(planner.addSteps(part), turn)', 'planner.add(part)'],
      ['runStepsInTurns(planner.finishSteps(), turn)', 'planner.finish()'],
    ],
  },
  {
    file: 'src/formats/parquet/stitch/stitch.ts',
    tests: STITCH,
    edits: [
      ['lengthBytes > this.#footerBytesMax', 'false'],
      ['this.#rowGroupBytes > this.#footerBytesMax', 'false'],
      ['    position += piece.length\n    yield\n', '    position += piece.length\n'],
    ],
  },
  {
    file: 'src/threads/value-parts.ts',
    tests: PARTS,
    edits: [
      ['isWhole && whole <= this.#weightMax', 'isWhole'],
      ['isWhole && whole <= this.#weightMax', 'whole <= this.#weightMax'],
      ['group.length > 0 && weight + member.weight > this.#weightMax', 'false'],
      ['      weight += member.weight\n', '      weight += 1\n'],
      ['      this.#containers.delete(place)\n', '      this.#containers.delete(container)\n'],
      [
        "isList ? undefined : members.map(({ key = '' }) => key)",
        "members.map(({ key = '' }) => key)",
      ],
      ['1 + Math.floor(value.length / UNITS_PER_WEIGHT)', '1'],
      [
        'define(into, keys',
        "Reflect.set(into, keys?.[i] ?? '', value)\n      if (false) define(into, keys",
      ],
    ],
  },
  {
    file: 'src/formats/metadata/metadata-file.ts',
    tests: ['test/threads/metadata-thread.test.ts'],
    named: '^too many properties',
    edits: [['  requireFewProperties(', '  if (false) requireFewProperties(']],
  },
]
