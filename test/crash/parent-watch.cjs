/**
 * Loaded by services of tests before their own code: ends the service when the test's process is
 * gone, whatever ended that. Its end closes the pipe that is standard input here.
 */
const { isMainThread } = require('node:worker_threads')

// Children and threads of the service inherit the option that loads this, but no such pipe.
if (isMainThread && /(?:main\.js|-process\.mjs)$/.test(process.argv[1] ?? '')) {
  process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL'))
  process.stdin.on('error', () => undefined)
  process.stdin.resume()
  process.stdin.unref()
}
