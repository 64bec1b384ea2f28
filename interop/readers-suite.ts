import { runJest } from './jest-report.ts'
import { ROOT } from './places.ts'
import { python } from './pyiceberg-suite.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 10 * 60 * 1000

/** A Python with polars, pandas and DuckDB. */
const frames = new PythonEnvironment({
  folder: 'frames/.venv',
  requirements: 'frames/requirements.txt',
})

/** A Python that reads descriptions of datasets. */
const documents = new PythonEnvironment({
  folder: 'documents/.venv',
  requirements: 'documents/requirements.txt',
})

/** Those of our own tests that read with libraries of Python, which `make test` skips without. */
export const readersSuite: Suite = {
  name: 'Our tests with readers in Python',
  findObstacle: findPythonObstacle,
  async install() {
    await python.install()
    await frames.install()
    await documents.install()
  },
  run: () =>
    runJest({
      label: 'readers',
      folder: ROOT.replace(/\/$/, ''),
      tiers: ['rules', 'lake', 'service'],
      files: ['test/interop-readers/', 'test/docs/blocks', 'other-readers.oracle'],
      timeoutMs: TIMEOUT_MS,
      environment: {
        TEST_PYTHON: python.python,
        TEST_FRAMES_PYTHON: frames.python,
        TEST_DOCUMENTS_PYTHON: documents.python,
      },
    }),
}
