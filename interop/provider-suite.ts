import { startIdentityProvider } from '../test/modules/access/identity-provider.ts'
import type { TestResult } from './junit-report.ts'
import { type Place, pyicebergSuite, python, runPytest } from './pyiceberg-suite.ts'
import type { Suite } from './suite.ts'

/** Longer than any run. */
const LIFETIME_SECONDS = 2 * 3_600

/** Runs the tests of a folder against a service that takes the tokens of `oidc-provider`. */
export async function runPytestWithProvider(place: Place): Promise<TestResult[]> {
  const provider = await startIdentityProvider({ lifetimeSeconds: LIFETIME_SECONDS })
  const { issuer } = provider
  try {
    return await runPytest({
      ...place,
      asksForKeys: true,
      environment: { ...place.environment, PROVIDER_ISSUER: issuer },
      settings: {
        MORAINE_AUTH: 'oidc',
        MORAINE_OIDC_ISSUER: issuer,
        MORAINE_OIDC_AUDIENCE: 'moraine',
      },
    })
  } finally {
    await provider.stop()
  }
}

export const pyicebergProviderSuite: Suite = {
  ...pyicebergSuite,
  name: 'PyIceberg 0.12.0 with tokens of an identity provider',
  run: () => runPytestWithProvider({ folder: 'pyiceberg-oidc', python: python.python }),
}
