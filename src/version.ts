import { readFileSync } from 'node:fs'

/** Version in package.json, which lies next to `src` and `dist`. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version
