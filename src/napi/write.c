/*
 * writeNow(fd, bytes): writes what fits at once, and never waits.
 *
 * The log of heapwatch/register goes to the stderr of an app that may be the
 * only one ever to write there: to a pipe or a socket whose other end nobody
 * reads. A plain write blocks the whole app once that is full, and setting
 * O_NONBLOCK would change the app's own writes, because the flag belongs to the
 * open file and not to the descriptor.
 *
 * Returns how many bytes were written, 0 if none fit now, -1 if the other end
 * is gone or the descriptor is of no use.
 */

#include "write.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

/* A pipe that can be written to takes at least this much. */
#define AT_ONCE PIPE_BUF

static ssize_t write_now(int fd, const void* bytes, size_t size) {
  struct pollfd writable = {.fd = fd, .events = POLLOUT};
  int ready = poll(&writable, 1, 0);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return 0;
  if (ready < 0 || (writable.revents & (POLLERR | POLLNVAL))) return -1;
  /* A socket may take less than it is given, and would wait for the rest.
   * Whoever has closed the other end must not kill us with SIGPIPE. */
  ssize_t written = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (written < 0 && errno == ENOTSOCK)
    written = write(fd, bytes, size < AT_ONCE ? size : AT_ONCE);
  if (written >= 0) return written;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static napi_value write_now_method(napi_env env, napi_callback_info info) {
  size_t argc = 2, size;
  napi_value args[2], result;
  int32_t fd;
  void* bytes;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, args, NULL, NULL));
  HW_NAPI(env, napi_get_value_int32(env, args[0], &fd));
  HW_NAPI(env, napi_get_buffer_info(env, args[1], &bytes, &size));
  HW_NAPI(env, napi_create_int64(env, write_now(fd, bytes, size), &result));
  return result;
}

bool hw_write_define(napi_env env, napi_value exports) {
  napi_value method;
  if (napi_create_function(env, "writeNow", NAPI_AUTO_LENGTH, write_now_method,
                           NULL, &method) == napi_ok &&
      napi_set_named_property(env, exports, "writeNow", method) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}
