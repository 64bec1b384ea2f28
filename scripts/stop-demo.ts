/** `make stop`: ends the service that `make demo` left running. */
import { resolve } from 'node:path'
import { stopDemoService } from './demo-service.ts'

const FOLDER = resolve(process.env['DEMO_FOLDER'] ?? '.demo')

console.log(await stopDemoService(FOLDER))
