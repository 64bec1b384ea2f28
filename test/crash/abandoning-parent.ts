/** Starts a service as tests do, says its process id, and waits to be killed. */
import { launchService } from './killable-service.ts'

const [main = '', home = ''] = process.argv.slice(2)
const child = launchService({ MORAINE_HOME: home }, { stdout: 'pipe', main })
child.stdout?.on('data', (chunk: Buffer) => {
  if (chunk.toString().includes('"url"')) process.stdout.write(`${child.pid}\n`)
})
