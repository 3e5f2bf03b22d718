#include "hw_sampler.h"

#include <math.h>
#include <string.h>

#include "core/hw_error.h"
#include "hw_memory.h"

#define NS_PER_MS UINT64_C(1000000)

/* A container's limit can be changed while it runs; reading it costs some
 * tens of microseconds. */
#define MEMORY_LIMIT_AGE_NS (UINT64_C(60000) * NS_PER_MS)

int hw_sampler_init(hw_sampler_t* sampler, uv_loop_t* loop,
                    const hw_sampler_probes_t* probes, hw_sampler_cb reading_cb,
                    void* data) {
  memset(sampler, 0, sizeof(*sampler));
  if (uv_timer_init(loop, &sampler->timer) != 0) return HW_ELOOP;
  uv_unref((uv_handle_t*)&sampler->timer);
  sampler->timer.data = sampler;
  sampler->probes = *probes;
  sampler->reading_cb = reading_cb;
  sampler->data = data;
  return 0;
}

static double epoch_ms(void) {
  uv_timeval64_t now;
  if (uv_gettimeofday(&now) != 0) return NAN;
  return (double)now.tv_sec * 1e3 + (double)now.tv_usec / 1e3;
}

void hw_sampler_read(hw_sampler_t* sampler, hw_reading_t* reading) {
  memset(reading, 0, sizeof(*reading));
  reading->time_ns = uv_hrtime();
  reading->epoch_ms = epoch_ms();
  /* The heap first: asking for the usage may allocate on it. */
  sampler->probes.heap(sampler->data, &reading->heap);
  if (sampler->probes.usage(sampler->data, &reading->rss_bytes,
                            &reading->array_buffers_bytes) != 0) {
    reading->rss_bytes = hw_memory_rss();
    reading->array_buffers_bytes = NAN;
  }
  if (sampler->memory_limit_read_ns == 0 ||
      reading->time_ns - sampler->memory_limit_read_ns > MEMORY_LIMIT_AGE_NS) {
    sampler->memory_limit_bytes = hw_memory_limit();
    sampler->memory_limit_read_ns = reading->time_ns;
  }
  reading->memory_limit_bytes = sampler->memory_limit_bytes;
}

/* Timers count whole milliseconds of the loop's time, which is uv_hrtime's
 * clock as read when this turn of the loop began: brought up to date first,
 * and with the due time rounded up, the timer never fires early. */
static int arm(hw_sampler_t* sampler, uv_timer_cb timer_cb) {
  uv_loop_t* loop = sampler->timer.loop;
  uv_update_time(loop);
  uint64_t now_ms = uv_now(loop);
  uint64_t due_ms = (sampler->due_ns + NS_PER_MS - 1) / NS_PER_MS;
  return uv_timer_start(&sampler->timer, timer_cb,
                        due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void on_timer(uv_timer_t* timer) {
  hw_sampler_t* sampler = timer->data;
  hw_reading_t reading;
  hw_sampler_read(sampler, &reading);
  uint64_t late_ns =
      reading.time_ns > sampler->due_ns ? reading.time_ns - sampler->due_ns : 0;
  uint64_t missed = late_ns / sampler->interval_ns;
  reading.loop_delay_ns = late_ns;
  sampler->due_ns += (missed + 1) * sampler->interval_ns;
  /* Armed before the callback: that may run JavaScript which stops us. */
  arm(sampler, on_timer);
  sampler->reading_cb(sampler->data, &reading, missed);
}

int hw_sampler_start(hw_sampler_t* sampler, uint64_t interval_ms) {
  if (interval_ms == 0 || interval_ms > UINT64_MAX / NS_PER_MS)
    return HW_EINVAL;
  sampler->interval_ns = interval_ms * NS_PER_MS;
  sampler->due_ns = uv_hrtime() + sampler->interval_ns;
  return arm(sampler, on_timer) == 0 ? 0 : HW_ELOOP;
}

static void on_close(uv_handle_t* handle) {
  hw_sampler_t* sampler = handle->data;
  sampler->close_cb(sampler->data);
}

void hw_sampler_close(hw_sampler_t* sampler, void (*close_cb)(void* data)) {
  sampler->close_cb = close_cb;
  uv_close((uv_handle_t*)&sampler->timer, on_close);
}
