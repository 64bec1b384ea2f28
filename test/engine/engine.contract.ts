import { readFile, symlink, writeFile } from 'node:fs/promises'
import type { ExportJob } from '../../src/engine/engine.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const SCHEMA = schemaOf(field(1, 'i', 'long'), field(2, 's', 'string'))
const SMALL = "SELECT range AS i, 's' || range AS s FROM range(10)"
const LONG = 'SELECT range AS i, md5(range::VARCHAR) AS s FROM range(3000000)'

/** What an engine promises of jobs: failures are clean and leave nothing. */
export function describeJobs(name: string, open: OpenEngine): void {
  describe(`jobs of the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    function jobOf(path: string, target: Partial<ExportJob['target']> = {}): ExportJob {
      return {
        source: sourceOf(path, SCHEMA),
        schema: SCHEMA,
        target: { path: bench.newPath('out'), format: 'csv', compression: 'none', ...target },
      }
    }

    /** A failed job leaves its target and its folder empty. */
    async function expectNoTrace(job: ExportJob): Promise<void> {
      await expect(readFile(job.target.path)).rejects.toThrow('ENOENT')
      expect(await bench.jobFolders()).toEqual([])
    }

    test('a hundred jobs at once all succeed, and leave only their outputs', async () => {
      const path = await bench.parquet(SMALL)
      const jobs = Array.from({ length: 100 }, () => jobOf(path))
      const results = await Promise.all(jobs.map((job) => bench.engine.export(job)))
      expect(results.every(({ rows }) => rows === 10)).toBe(true)
      const texts = await Promise.all(jobs.map((job) => readFile(job.target.path, 'utf8')))
      expect(new Set(texts).size).toBe(1)
      expect(await bench.jobFolders()).toEqual([])
    })

    test('a source that is gone is named', async () => {
      const job = jobOf(bench.path('gone.parquet'))
      const { code, facts } = await refusal(bench.engine.export(job))
      expect([code, facts['file']]).toEqual(['file-not-found', job.source.path])
      await expectNoTrace(job)
    })

    test('a file that is no Parquet file is corrupt, and so is one whose page is', async () => {
      const text = bench.path('text.parquet')
      await writeFile(text, 'PAR1 this is no footer PAR1')
      const path = await bench.parquet(LONG.replace('3000000', '300000'), ', COMPRESSION zstd')
      const bytes = await readFile(path)
      for (let at = bytes.length >> 1; at < (bytes.length >> 1) + 400; at++) bytes[at] = 0x5a
      const damaged = bench.path('damaged.parquet')
      await writeFile(damaged, bytes)
      const cut = bench.path('cut.parquet')
      await writeFile(cut, bytes.subarray(0, bytes.length - 20))
      for (const bad of [text, damaged, cut]) {
        for (const format of ['csv', 'ndjson', 'parquet', 'arrow'] as const) {
          const job = jobOf(bad, { format })
          const { code, facts } = await refusal(bench.engine.export(job))
          expect([code, facts['file']]).toEqual(['file-corrupt', bad])
          await expectNoTrace(job)
        }
      }
    })

    test('whatever bytes are flipped, a job ends cleanly and the engine goes on', async () => {
      const path = await bench.parquet(SMALL, ', COMPRESSION uncompressed')
      const whole = await readFile(path)
      for (let at = 4; at < whole.length; at += 17) {
        const bytes = Buffer.from(whole)
        bytes[at] = (bytes[at] ?? 0) ^ 0xff
        const flipped = bench.newPath('parquet')
        await writeFile(flipped, bytes)
        const job = jobOf(flipped)
        const outcome = await bench.engine
          .export(job)
          .catch((error: { code?: string }) => error.code)
        expect(['file-corrupt', 'engine-failed', 'file-unsupported']).toContain(
          typeof outcome === 'object' ? 'file-corrupt' : outcome,
        )
        if (typeof outcome !== 'object') await expectNoTrace(job)
      }
      expect((await bench.engine.export(jobOf(path))).rows).toBe(10)
    }, 60_000)

    test('an output that exists is left alone', async () => {
      const path = await bench.parquet(SMALL)
      const job = jobOf(path)
      await writeFile(job.target.path, 'mine')
      await expect(bench.engine.export(job)).rejects.toThrow('name the output')
      expect(await readFile(job.target.path, 'utf8')).toBe('mine')
      const other = bench.path('other')
      await writeFile(other, 'mine')
      const linked = jobOf(path)
      await symlink(other, linked.target.path)
      await expect(bench.engine.export(linked)).rejects.toThrow('name the output')
      expect(await readFile(other, 'utf8')).toBe('mine')
    })

    test('a link to a source is followed', async () => {
      const path = bench.path('link.parquet')
      await symlink(await bench.parquet(SMALL), path)
      expect((await bench.engine.export(jobOf(path))).rows).toBe(10)
    })

    test('an aborted job fails at once with the reason, running or waiting', async () => {
      const path = await bench.parquet(LONG)
      const small = await bench.parquet(SMALL)
      const reason = new Error('enough')
      const controller = new AbortController()
      const last = new AbortController()
      let isDone = false
      const other = bench.engine.export(jobOf(path, { format: 'ndjson' }), { signal: last.signal })
      void other
        .finally(() => {
          isDone = true
        })
        .catch(() => undefined)
      const jobs = Array.from({ length: 6 }, () => jobOf(path, { format: 'ndjson' }))
      const outcomes = jobs.map((job) =>
        bench.engine.export(job, { signal: controller.signal }).catch((error: unknown) => error),
      )
      await new Promise((resolve) => setTimeout(resolve, 100))
      controller.abort(reason)
      expect(await Promise.all(outcomes)).toEqual(jobs.map(() => reason))
      // One of two processes goes on with the same work, which is far from done.
      expect(isDone).toBe(false)
      last.abort(reason)
      await expect(other).rejects.toBe(reason)
      for (const job of jobs) await expectNoTrace(job)
      const late = bench.engine.export(jobOf(small), { signal: controller.signal })
      await expect(late).rejects.toBe(reason)
      expect((await bench.engine.export(jobOf(small))).rows).toBe(10)
    })
  })
}
