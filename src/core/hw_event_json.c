#include "hw_event_json.h"

#include "hw_json_writer.h"

#define NS_PER_MS 1e6

/* A number that may be unknown: null if it is. */
static void put_known(hw_json_writer_t* json, const char* key, bool known,
                      double value) {
  if (known)
    hw_json_put_number(json, key, value);
  else
    hw_json_put_null(json, key);
}

static void put_evidence(hw_json_writer_t* json,
                         const hw_leak_verdict_t* verdict, double epoch_ms) {
  hw_json_open(json, "evidence", '[');
  for (uint32_t i = 0; i < verdict->count; i++) {
    hw_json_open(json, NULL, '{');
    hw_json_put_number(json, "time", verdict->evidence[i].t + epoch_ms);
    hw_json_put_number(json, "value", verdict->evidence[i].v);
    hw_json_close(json, '}');
  }
  hw_json_close(json, ']');
}

size_t hw_event_leak_json(const hw_leak_verdict_t* v, double epoch_ms,
                          const char* sites, size_t sites_length, char* text,
                          size_t size) {
  hw_json_writer_t json = {.text = text, .size = size};
  hw_json_open(&json, NULL, '{');
  hw_json_put_string(&json, "metric", hw_leak_metric_name(v->metric));
  hw_json_put_number(&json, "time", v->time_ms + epoch_ms);
  hw_json_put_number(&json, "since", v->since_ms + epoch_ms);
  hw_json_put_number(&json, "duration", v->duration_ms);
  hw_json_put_number(&json, "rate", v->rate);
  hw_json_put_number(&json, "rateLow", v->rate_low);
  hw_json_put_number(&json, "rateHigh", v->rate_high);
  hw_json_put_number(&json, "growth", v->growth);
  hw_json_put_number(&json, "confidence", v->confidence);
  put_known(&json, "timeToLimit", v->time_to_limit_ms >= 0,
            v->time_to_limit_ms);
  put_known(&json, "limit", v->limit_bytes > 0, v->limit_bytes);
  hw_json_put_string(&json, "basis", hw_leak_basis_name(v->basis));
  hw_json_put_string(&json, "shape", hw_trend_shape_name(v->shape));
  put_evidence(&json, v, epoch_ms);
  if (sites != NULL) hw_json_put_raw(&json, "sites", sites, sites_length);
  hw_json_close(&json, '}');
  return json.full ? 0 : json.length;
}

size_t hw_event_pressure_json(const hw_pressure_event_t* event, double epoch_ms,
                              char* text, size_t size) {
  hw_json_writer_t json = {.text = text, .size = size};
  hw_json_open(&json, NULL, '{');
  hw_json_put_string(&json, "reason", hw_pressure_reason_name(event->reason));
  hw_json_put_number(&json, "time",
                     (double)event->time_ns / NS_PER_MS + epoch_ms);
  hw_json_put_number(&json, "ratio", event->ratio);
  hw_json_put_number(&json, "threshold", event->threshold);
  if (event->limit_bytes > 0) {
    hw_json_put_number(&json, "used", (double)event->used_bytes);
    hw_json_put_number(&json, "limit", (double)event->limit_bytes);
  }
  hw_json_close(&json, '}');
  return json.full ? 0 : json.length;
}
