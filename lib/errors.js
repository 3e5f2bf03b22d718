'use strict'

// Every error that heapwatch throws has a `code` beginning with ERR_HEAPWATCH_
// and a message that names the value and what is allowed instead.

const { inspect } = require('node:util')

function show (value) {
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 })
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}

function withCode (error, code) {
  error.code = code
  // Errors of the caller: the stack begins where heapwatch was called.
  Error.captureStackTrace(error, withCode)
  return error
}

/** A value of the wrong type. `allowed` completes "must be". */
function invalidType (name, value, allowed) {
  return withCode(
    new TypeError(`The option "${name}" must be ${allowed}; received ${show(value)}`),
    'ERR_HEAPWATCH_INVALID_OPTION_TYPE')
}

/** A value of the right type that is not allowed. */
function outOfRange (name, value, allowed) {
  return withCode(
    new RangeError(`The option "${name}" must be ${allowed}; received ${show(value)}`),
    'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE')
}

/** An option that does not exist. `nearest` is the one probably meant, if any. */
function unknownOption (name, nearest, known) {
  const hint = nearest ? `did you mean "${nearest}"?` : `known are ${known.join(', ')}`
  return withCode(
    new TypeError(`There is no option "${name}": ${hint}`),
    'ERR_HEAPWATCH_UNKNOWN_OPTION')
}

/** A call that only makes sense while the watch runs. */
function stopped (method) {
  return withCode(
    new Error(`${method}() was called on a watch that has been stopped`),
    'ERR_HEAPWATCH_STOPPED')
}

/** The addon could not be loaded. */
function unusableBinary (code, message, cause) {
  return withCode(new Error(message, { cause }), code)
}

module.exports = { invalidType, outOfRange, unknownOption, stopped, unusableBinary }
