'use strict'

// Who may see the pages: this user, on this machine, with pages of ours.
//
// The address is the loopback's, so no other machine gets here by itself. What
// is left are browsers on this machine that somebody else's page drives, and
// other users of this machine:
//
// - A page of another site can make the browser send requests here, and with a
//   host name of its own that resolves to 127.0.0.1 it could even read the
//   answers (DNS rebinding). So the Host header must be one of ours, the Origin
//   header too where there is one, and Sec-Fetch-Site must not say that another
//   site asks.
// - Another user's program can connect to the port. Linux tells whose the other
//   end of a connection is.

const fs = require('node:fs')

const NAMES = ['127.0.0.1', 'localhost', '[::1]']

/** Why this request is refused, or undefined. */
function refusal ({ method, headers }, port) {
  const ours = NAMES.map((name) => `${name}:${port}`)
  if (!ours.includes(headers.host?.toLowerCase())) {
    return `the Host header must be one of ${ours.join(', ')}`
  }
  if (headers.origin !== undefined && !ours.some((host) => headers.origin === `http://${host}`)) {
    return 'pages of other origins may not ask'
  }
  // "none" is the address bar.
  if (!['same-origin', 'none', undefined].includes(headers['sec-fetch-site']) && headers['sec-fetch-mode'] !== 'navigate') {
    return 'pages of other sites may not ask'
  }
  if (method !== 'GET' && method !== 'HEAD') return 'there is nothing here to change'
}

/**
 * Whether the other end of a connection over 127.0.0.1 belongs to this user or
 * to root; true where the system does not tell.
 *
 * @param {{ remotePort: number, localPort: number }} socket
 */
function isOurs ({ remotePort, localPort }, uid = process.getuid?.()) {
  let table
  try {
    table = fs.readFileSync('/proc/self/net/tcp', 'latin1')
  } catch {
    return true
  }
  const end = (port) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const local = end(remotePort)
  const remote = end(localPort)
  for (const line of table.split('\n')) {
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid
    const fields = line.trim().split(/\s+/)
    if (fields[1] === local && fields[2] === remote) return ['0', String(uid)].includes(fields[7])
  }
  // Gone again, so there is nobody to refuse.
  return true
}

module.exports = { isOurs, refusal }
