/*
 * What the benchmark needs from below JavaScript: clocks, the cheapest GC hook
 * there can be, and instruments around the hooks of others.
 *
 * V8 calls GC callbacks in the order in which they were added. So with one
 * callback added before the hook under test and one after it, the time between
 * the two is what that hook takes, in place, in a real collection; and what the
 * JS heap has grown by between them and between collections is what was
 * allocated. One isolate; everything is static.
 *
 * And what V8 itself takes for a profile of the samples it has.
 */

#include <node_api.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>
#include <v8-profiler.h>
#include <v8.h>

namespace {

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

uint64_t used_heap(v8::Isolate* isolate) {
  v8::HeapStatistics heap;
  isolate->GetHeapStatistics(&heap);
  return heap.used_heap_size();
}

/* threadCpu(): CPU time of the calling thread, ns. Leaves out V8's helper
 * threads, whose share in a collection varies by chance. */
double thread_cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

napi_value thread_cpu(napi_env env, napi_callback_info) {
  return number(env, thread_cpu_ns());
}

/* usedHeap(): used_heap_size. Allocates a number at most. */
napi_value js_used_heap(napi_env env, napi_callback_info) {
  return number(env, static_cast<double>(used_heap(v8::Isolate::GetCurrent())));
}

/* -- The minimal hook: two clock reads, two heap statistics, no more ------- */

struct {
  uint64_t start_ns;
  uint64_t before_bytes;
  uint64_t duration_ns;
  uint64_t after_bytes;
} minimal;

void minimal_prologue(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags,
                      void*) {
  minimal.before_bytes = used_heap(isolate);
  minimal.start_ns = uv_hrtime();
}

void minimal_epilogue(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags,
                      void*) {
  minimal.duration_ns = uv_hrtime() - minimal.start_ns;
  minimal.after_bytes = used_heap(isolate);
}

napi_value minimal_start(napi_env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  isolate->AddGCPrologueCallback(minimal_prologue, nullptr);
  isolate->AddGCEpilogueCallback(minimal_epilogue, nullptr);
  return nullptr;
}

napi_value minimal_stop(napi_env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  isolate->RemoveGCPrologueCallback(minimal_prologue, nullptr);
  isolate->RemoveGCEpilogueCallback(minimal_epilogue, nullptr);
  return nullptr;
}

/* -- Stopwatch: time that the hooks between its two callbacks take --------- */

const size_t kMaxTimes = 65536;

struct {
  uint64_t from_ns;
  uint64_t prologue_ns;
  size_t count;
  double times[kMaxTimes]; /* prologue and epilogue of one GC together, ns */
} stopwatch;

void stopwatch_from(v8::Isolate*, v8::GCType, v8::GCCallbackFlags, void*) {
  stopwatch.from_ns = uv_hrtime();
}

void stopwatch_prologue_to(v8::Isolate*, v8::GCType, v8::GCCallbackFlags,
                           void*) {
  stopwatch.prologue_ns = uv_hrtime() - stopwatch.from_ns;
}

void stopwatch_epilogue_to(v8::Isolate*, v8::GCType, v8::GCCallbackFlags,
                           void*) {
  uint64_t took_ns = uv_hrtime() - stopwatch.from_ns;
  if (stopwatch.count == kMaxTimes) return;
  stopwatch.times[stopwatch.count++] =
      static_cast<double>(took_ns + stopwatch.prologue_ns);
}

/* stopwatchOpen(): before the hook under test is added. */
napi_value stopwatch_open(napi_env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  stopwatch.count = 0;
  isolate->AddGCPrologueCallback(stopwatch_from, nullptr);
  isolate->AddGCEpilogueCallback(stopwatch_from, nullptr);
  return nullptr;
}

/* stopwatchClose(): after it. */
napi_value stopwatch_close(napi_env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  isolate->AddGCPrologueCallback(stopwatch_prologue_to, nullptr);
  isolate->AddGCEpilogueCallback(stopwatch_epilogue_to, nullptr);
  return nullptr;
}

/* stopwatchStop(Float64Array): fills in the times of as many GCs as it has
 * room for; returns how many. */
napi_value stopwatch_stop(napi_env env, napi_callback_info info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  isolate->RemoveGCPrologueCallback(stopwatch_from, nullptr);
  isolate->RemoveGCEpilogueCallback(stopwatch_from, nullptr);
  isolate->RemoveGCPrologueCallback(stopwatch_prologue_to, nullptr);
  isolate->RemoveGCEpilogueCallback(stopwatch_epilogue_to, nullptr);
  size_t argc = 1;
  napi_value array;
  size_t length = 0;
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, &array, nullptr, nullptr);
  if (napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr,
                               nullptr) != napi_ok)
    return nullptr;
  size_t count = stopwatch.count < length ? stopwatch.count : length;
  for (size_t i = 0; i < count; i++)
    static_cast<double*>(data)[i] = stopwatch.times[i];
  return number(env, static_cast<double>(count));
}

/* -- Meter: bytes allocated on the JS heap, also by the hooks themselves --- */

struct {
  uint64_t last_bytes;
  uint64_t allocated_bytes;
} meter;

void meter_prologue(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags,
                    void*) {
  uint64_t used = used_heap(isolate);
  if (used > meter.last_bytes) meter.allocated_bytes += used - meter.last_bytes;
  meter.last_bytes = used;
}

void meter_epilogue(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags,
                    void*) {
  meter.last_bytes = used_heap(isolate);
}

/* meterOpen(): before the hook under test is added, so that its epilogue
 * counts. */
napi_value meter_open(napi_env, napi_callback_info) {
  v8::Isolate::GetCurrent()->AddGCEpilogueCallback(meter_epilogue, nullptr);
  return nullptr;
}

/* meterClose(): after it, so that its prologue counts. */
napi_value meter_close(napi_env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  isolate->AddGCPrologueCallback(meter_prologue, nullptr);
  meter.allocated_bytes = 0;
  meter.last_bytes = used_heap(isolate);
  return nullptr;
}

/* meterStop(): bytes allocated since meterClose(). */
napi_value meter_stop(napi_env env, napi_callback_info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  uint64_t used = used_heap(isolate);
  if (used > meter.last_bytes) meter.allocated_bytes += used - meter.last_bytes;
  isolate->RemoveGCPrologueCallback(meter_prologue, nullptr);
  isolate->RemoveGCEpilogueCallback(meter_epilogue, nullptr);
  return number(env, static_cast<double>(meter.allocated_bytes));
}

/* -- V8's own part of a reading of samples --------------------------------- */

/* profile(Float64Array): has V8 build an allocation profile of what it samples
 * and delete it, as every reader of samples must. Fills in CPU time of both,
 * ns, the growth of the JS heap, bytes, and the number of samples; false if
 * nothing samples. */
napi_value profile(napi_env env, napi_callback_info info) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  v8::HandleScope scope(isolate);
  size_t argc = 1, length = 0;
  napi_value array, done = nullptr;
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, &array, nullptr, nullptr);
  if (napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr,
                               nullptr) != napi_ok ||
      length < 4)
    return nullptr;
  double* result = static_cast<double*>(data);
  uint64_t before_bytes = used_heap(isolate);
  double start_ns = thread_cpu_ns();
  v8::AllocationProfile* built =
      isolate->GetHeapProfiler()->GetAllocationProfile();
  napi_get_boolean(env, built != nullptr, &done);
  if (built == nullptr) return done;
  double built_ns = thread_cpu_ns();
  result[3] = static_cast<double>(built->GetSamples().size());
  double counted_ns = thread_cpu_ns();
  delete built;
  result[0] = built_ns - start_ns;
  result[1] = thread_cpu_ns() - counted_ns;
  result[2] = static_cast<double>(used_heap(isolate)) -
              static_cast<double>(before_bytes);
  return done;
}

}  // namespace

NAPI_MODULE_INIT() {
#define METHOD(name, function)                                           \
  {                                                                      \
    name, nullptr, function, nullptr, nullptr, nullptr, napi_enumerable, \
        nullptr                                                          \
  }
  const napi_property_descriptor methods[] = {
      METHOD("threadCpu", thread_cpu),
      METHOD("usedHeap", js_used_heap),
      METHOD("minimalStart", minimal_start),
      METHOD("minimalStop", minimal_stop),
      METHOD("stopwatchOpen", stopwatch_open),
      METHOD("stopwatchClose", stopwatch_close),
      METHOD("stopwatchStop", stopwatch_stop),
      METHOD("meterOpen", meter_open),
      METHOD("meterClose", meter_close),
      METHOD("meterStop", meter_stop),
      METHOD("profile", profile),
  };
#undef METHOD
  if (napi_define_properties(env, exports, sizeof(methods) / sizeof(methods[0]),
                             methods) != napi_ok)
    return nullptr;
  return exports;
}
