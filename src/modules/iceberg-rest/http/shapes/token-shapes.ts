import { z } from 'zod'

export const TokenAnswer = z
  .object({
    access_token: z.string(),
    token_type: z.literal('bearer'),
    expires_in: z.int().meta({ description: 'Seconds.' }),
    issued_token_type: z.string(),
  })
  .meta({
    id: 'IcebergToken',
    description: 'A short-lived token (RFC 6749, section 5.1).',
    example: {
      access_token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl',
      token_type: 'bearer',
      expires_in: 900,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    },
  })

export const OAuthRefusal = z
  .object({
    error: z.enum(['invalid_request', 'invalid_client', 'unsupported_grant_type']),
    error_description: z.string(),
  })
  .meta({
    id: 'IcebergTokenRefusal',
    description: 'A refusal in the form of OAuth.',
    example: { error: 'invalid_client', error_description: 'The key is not valid' },
  })
