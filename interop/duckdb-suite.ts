import { runPytestWithProvider } from './provider-suite.ts'
import { runPytest } from './pyiceberg-suite.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

/** DuckDB with its Iceberg extension, which comes as a package of Python. */
export function duckdbSuite(version: '1.4' | '1.5'): Suite {
  const python = new PythonEnvironment({
    folder: `duckdb/.venv-${version}`,
    requirements: `duckdb/requirements-${version}.txt`,
  })
  const place = { python: python.python }
  return {
    name: `DuckDB ${version} with its Iceberg extension`,
    findObstacle: findPythonObstacle,
    install: () => python.install(),
    run: async () => [
      ...(await runPytest({ ...place, folder: 'duckdb', name: `duckdb-${version}` })),
      ...(await runPytest({
        ...{ ...place, folder: 'duckdb-keys', name: `duckdb-keys-${version}` },
        asksForKeys: true,
      })),
      ...(await runPytestWithProvider({
        ...{ ...place, folder: 'duckdb-oidc', name: `duckdb-oidc-${version}` },
      })),
    ],
  }
}
