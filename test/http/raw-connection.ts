import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection on which bytes are sent as they are. Its errors are silent: `received` tells. */
export async function openConnection(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Everything that comes until the end, however it comes, or until it contains a text. */
export function received(socket: Socket, until?: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
      if (until !== undefined && text.includes(until)) resolve(text)
    })
    socket.once('close', () => resolve(text))
  })
}
