/**
 * Where the processor time of profiles went, by function and by package or folder: `npx tsx
 * bench/profile-top.ts <file or folder> [lines]`. BENCH_PROFILE=<folder> makes profiles.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { summarizeProfile } from './profile.ts'

const [place = '.', lines = '25'] = process.argv.slice(2)
const files = statSync(place).isDirectory()
  ? readdirSync(place)
      .filter((name) => name.endsWith('.cpuprofile'))
      .map((name) => join(place, name))
  : [place]

for (const file of files) {
  const { seconds, functions, places } = summarizeProfile(JSON.parse(readFileSync(file, 'utf8')))
  console.log(`\n${file}: ${seconds.toFixed(1)} s of processor time`)
  for (const [title, shares] of [
    ['by place', places],
    ['by function', functions],
  ] as const) {
    console.log(`\n  ${title}`)
    for (const { name, percent } of shares.slice(0, Number(lines))) {
      console.log(`  ${percent.toFixed(1).padStart(5)} %  ${name}`)
    }
  }
}
