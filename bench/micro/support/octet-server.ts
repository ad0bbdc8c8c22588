// Sends a mebibyte for each octet that it is sent, and prints its port.
import { createServer } from 'node:net'

const BLOCK = Buffer.alloc(1024 * 1024, 'content of no meaning, in lines as mail has them, of seventy-eight columns..\r\n')

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    for (let left = chunk.length; left > 0; left--) socket.write(BLOCK)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' ? address?.port : address)
})
process.stdin.resume().on('end', () => process.exit())
