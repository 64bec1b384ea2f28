import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuiltImage, buildImage } from './image-build.ts'
import { runImage } from './image-run.ts'
import type { TestResult } from './junit-report.ts'
import { ROOT } from './places.ts'
import type { Suite } from './suite.ts'

/** The Dockerfile without an engine: every step by hand, in a folder that stands for the image. */
export const imageSuite: Suite = {
  name: 'Docker image, by hand',
  findObstacle: () => undefined,
  install: async () => undefined,
  run: async () => {
    const results: TestResult[] = []
    const check = async (name: string, run: () => Promise<void>): Promise<boolean> => {
      const startedAt = performance.now()
      let reason = ''
      try {
        await run()
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error)
      }
      const seconds = (performance.now() - startedAt) / 1000
      const outcome = reason === '' ? 'passed' : 'failed'
      results.push({ name: `Dockerfile#${name}`, outcome, reason, seconds })
      return reason === ''
    }
    let image: BuiltImage | undefined
    try {
      const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
      const built = await check('every stage builds', async () => {
        image = await buildImage(dockerfile)
      })
      if (built && image !== undefined) await runImage(image, check)
    } finally {
      image?.remove()
    }
    return results
  },
}
