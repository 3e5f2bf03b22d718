'use strict'

// Multiple references: an object that is taken out of one collection is still
// in another.
//
// node --expose-gc examples/leaks/multiple-references.js [--fixed]

const { fixed, payload, serve } = require('./serve')

const sessions = new Map()
const sessionsByUser = new Map()

function login (id) {
  const session = { id, user: `user ${id}`, data: payload(id) }
  sessions.set(id, session)
  sessionsByUser.set(session.user, session)
}

function logout (id) {
  const session = sessions.get(id)
  if (!session) return
  sessions.delete(id)
  // The fix: take it out wherever it was put in.
  if (fixed) sessionsByUser.delete(session.user)
}

function handle (id) {
  login(id)
  logout(id - 50)
}

serve(handle)
