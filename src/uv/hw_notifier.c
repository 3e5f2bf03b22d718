#include "hw_notifier.h"

#include <string.h>

#include "core/hw_error.h"

int hw_notifier_init(hw_notifier_t* notifier, uv_loop_t* loop,
                     int (*pending)(void* data), void (*deliver)(void* data),
                     void* data) {
  memset(notifier, 0, sizeof(*notifier));
  /* Neither can fail in any version of libuv: what is to be undone if the
   * second did would be a handle that has to be closed asynchronously. */
  if (uv_prepare_init(loop, &notifier->prepare) != 0 ||
      uv_timer_init(loop, &notifier->timer) != 0)
    return HW_ELOOP;
  uv_unref((uv_handle_t*)&notifier->prepare);
  uv_unref((uv_handle_t*)&notifier->timer);
  notifier->prepare.data = notifier;
  notifier->timer.data = notifier;
  notifier->pending = pending;
  notifier->deliver = deliver;
  notifier->data = data;
  return 0;
}

static void on_timer(uv_timer_t* timer) {
  hw_notifier_t* notifier = timer->data;
  notifier->deliver(notifier->data);
}

static void on_prepare(uv_prepare_t* prepare) {
  hw_notifier_t* notifier = prepare->data;
  if (!uv_is_active((uv_handle_t*)&notifier->timer) &&
      notifier->pending(notifier->data))
    uv_timer_start(&notifier->timer, on_timer, HW_NOTIFIER_DELAY_MS, 0);
}

int hw_notifier_enable(hw_notifier_t* notifier, int enable) {
  int error = 0;
  if (enable) {
    error = uv_prepare_start(&notifier->prepare, on_prepare);
  } else {
    uv_prepare_stop(&notifier->prepare);
    uv_timer_stop(&notifier->timer);
  }
  return error == 0 ? 0 : HW_ELOOP;
}

static void on_close(uv_handle_t* handle) {
  hw_notifier_t* notifier = handle->data;
  if (--notifier->open_handles == 0) notifier->close_cb(notifier->data);
}

void hw_notifier_close(hw_notifier_t* notifier, void (*close_cb)(void* data)) {
  notifier->close_cb = close_cb;
  notifier->open_handles = 2;
  uv_close((uv_handle_t*)&notifier->prepare, on_close);
  uv_close((uv_handle_t*)&notifier->timer, on_close);
}
