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

/** A file could not be made or written. */
function fileFailed (code, file, cause) {
  return withCode(new Error(`${file}: ${cause.message}`, { cause }), code)
}

/** A call that needs allocation sites to be sampled, which they are not. */
function notSampling (method, why) {
  return withCode(
    new Error(`${method}() needs allocation sites, and none are sampled: ${why}`),
    'ERR_HEAPWATCH_NOT_SAMPLING')
}

/** Two watches would give the same series. */
function alreadyRegistered (prefix, labels) {
  return withCode(
    new Error(`A watch with the prefix "${prefix}" and the labels ${show(labels)} is registered ` +
      'in this registry already: give each watch labels of its own'),
    'ERR_HEAPWATCH_ALREADY_REGISTERED')
}

/** A registry of prom-client refused a metric. */
function registryFailed (cause) {
  return withCode(
    new Error(`The registry does not take the metrics: ${cause.message}`, { cause }),
    'ERR_HEAPWATCH_REGISTRY')
}

/** prom-client is an optional peer, and is not there. */
function noPromClient (cause) {
  return withCode(
    new Error('prom-client is not installed: give a registry, install it with ' +
      '"npm install prom-client", or use metrics(), which needs none', { cause }),
    'ERR_HEAPWATCH_NO_PROM_CLIENT')
}

/** So is OpenTelemetry's API. */
function noOpenTelemetry (cause) {
  return withCode(
    new Error('@opentelemetry/api is not installed: give a meter or a meterProvider, or ' +
      'install it with "npm install @opentelemetry/api"', { cause }),
    'ERR_HEAPWATCH_NO_OPENTELEMETRY')
}

/** Why a leak's cause was not looked for, or not found. */
function noCause (code, message, cause) {
  return withCode(new Error(message, { cause }), code)
}

/** The addon could not be loaded. */
function unusableBinary (code, message, cause) {
  return withCode(new Error(message, { cause }), code)
}

module.exports = {
  alreadyRegistered,
  fileFailed,
  invalidType,
  noCause,
  noOpenTelemetry,
  noPromClient,
  notSampling,
  outOfRange,
  registryFailed,
  stopped,
  unknownOption,
  unusableBinary
}
