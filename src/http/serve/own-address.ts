const DEFAULT = 'http://127.0.0.1:8181'

/** Where the client has reached this service: the setting behind a proxy, else by its own words. */
export function ownAddress(
  { headers: { host } }: { readonly headers: { readonly host?: string | undefined } },
  publicUrl: string | undefined,
): string {
  if (publicUrl !== undefined) return publicUrl
  const address = `http://${host}`
  return host !== undefined && URL.canParse(address) ? new URL(address).origin : DEFAULT
}
