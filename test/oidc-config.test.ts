import { readConfig } from '../src/config.ts'

const AUTH = { MORAINE_AUTH: 'oidc', MORAINE_OIDC_AUDIENCE: 'moraine' }

test('one issuer and one audience are enough', () => {
  const { auth, oidc } = readConfig({ ...AUTH, MORAINE_OIDC_ISSUER: 'https://a.example/realms/x/' })
  expect([auth, oidc]).toEqual([
    'oidc',
    {
      issuers: ['https://a.example/realms/x'],
      audiences: ['moraine'],
      claims: { groups: ['groups'], roles: [] },
    },
  ])
})

test('an issuer may be given by its discovery address', () => {
  const MORAINE_OIDC_ISSUER =
    'http://127.0.0.1:9/.well-known/openid-configuration,https://b.example'
  expect(readConfig({ ...AUTH, MORAINE_OIDC_ISSUER }).oidc?.issuers).toEqual([
    'http://127.0.0.1:9',
    'https://b.example',
  ])
})

test('the address of CKAN is used with MORAINE_AUTH=ckan only', () => {
  const MORAINE_CKAN_URL = 'https://data.example.org/ckan/'
  const urlOf = (auth: string) => readConfig({ MORAINE_AUTH: auth, MORAINE_CKAN_URL }).ckanUrl
  expect([urlOf('ckan'), urlOf('keys')]).toEqual(['https://data.example.org/ckan', undefined])
})

test.each(['', 'data.example.org', 'http://data.example.org', 'https://data.example.org/?q'])(
  'CKAN at %p is one line',
  (MORAINE_CKAN_URL) => {
    const start = () => readConfig({ MORAINE_AUTH: 'ckan', MORAINE_CKAN_URL })
    expect(start).toThrow(/^MORAINE_CKAN_URL=.* cannot be used: give [^\n]+$/)
  },
)

test.each([
  ['MORAINE_OIDC_ISSUER', {}],
  ['MORAINE_OIDC_ISSUER', { MORAINE_OIDC_ISSUER: 'login.example.org' }],
  ['MORAINE_OIDC_ISSUER', { MORAINE_OIDC_ISSUER: 'http://login.example.org' }],
  ['MORAINE_OIDC_ISSUER', { MORAINE_OIDC_ISSUER: 'https://a.example/~b' }],
  [
    'MORAINE_OIDC_AUDIENCE',
    { MORAINE_OIDC_ISSUER: 'https://a.example', MORAINE_OIDC_AUDIENCE: '' },
  ],
])('a mistake in %s is one line', (name, environment) => {
  const start = () => readConfig({ ...AUTH, ...environment })
  expect(start).toThrow(new RegExp(`^${name}=.* cannot be used: give [^\\n]+$`))
})
