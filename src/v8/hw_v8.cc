#include "hw_v8.h"

#include <chrono>
#include <new>
#include <thread>

#include <node_version.h>

#include "hw_v8_bridge.h"

extern "C" {
#include "core/hw_error.h"
}
#include "core/hw_gate.h"

/* The core spells V8's numbers out, because it may not include V8. The name of
 * the second type has changed over the versions, its value has not. */
static_assert(HW_GC_SCAVENGE == static_cast<int>(v8::kGCTypeScavenge), "");
static_assert(HW_GC_MARK_SWEEP_COMPACT ==
                  static_cast<int>(v8::kGCTypeMarkSweepCompact),
              "");
static_assert(HW_GC_INCREMENTAL_MARKING ==
                  static_cast<int>(v8::kGCTypeIncrementalMarking),
              "");
static_assert(HW_GC_PROCESS_WEAK_CALLBACKS ==
                  static_cast<int>(v8::kGCTypeProcessWeakCallbacks),
              "");
static_assert(HW_GC_FLAG_FORCED ==
                  static_cast<unsigned>(v8::kGCCallbackFlagForced),
              "");

int hw_v8_abi(void) {
  return NODE_MODULE_VERSION;
}

int hw_v8_create(hw_v8_t** bridge, uint64_t (*clock)(void)) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  if (isolate == nullptr) return HW_ESTATE;
  hw_v8_t* created = new (std::nothrow) hw_v8_t();
  if (created == nullptr) return HW_ENOMEM;
  created->isolate = isolate;
  created->clock = clock;
  hw_v8_link_bridge(created);
  *bridge = created;
  return 0;
}

void hw_v8_destroy(hw_v8_t* bridge) {
  if (bridge == nullptr) return;
  hw_v8_remove_gc_hooks(bridge);
  hw_v8_remove_near_limit_hook(bridge);
  hw_v8_sites_stop(bridge);
  hw_v8_unlink_bridge(bridge);
  delete[] bridge->texts;
  delete bridge;
}

static void read_sizes(v8::Isolate* isolate, hw_gc_mark_t* mark) {
  v8::HeapStatistics heap;
  isolate->GetHeapStatistics(&heap);
  mark->heap_bytes = heap.used_heap_size();
  mark->external_bytes = heap.external_memory();
  mark->heap_limit_bytes = heap.heap_size_limit();
}

/* A collection waits at the gate for a fork, which takes milliseconds, and for
 * other collections before it: longer than this something is wrong with whoever
 * has closed it. */
static constexpr auto kGateNap = std::chrono::microseconds(200);
static constexpr int kGateNaps = 2500;

static void pass_gate(hw_v8_t* bridge) {
  for (int i = 0; i < kGateNaps; i++) {
    if (hw_gate_enter(bridge)) return;
    std::this_thread::sleep_for(kGateNap);
  }
  hw_gate_force();
}

/* The clock is read closest to the collection: last in the prologue, first in
 * the epilogue, so that a pause is V8's and not also ours. */
static void on_prologue(v8::Isolate* isolate, v8::GCType type,
                        v8::GCCallbackFlags, void* data) {
  if (hw_gate_in_child()) return;
  hw_v8_t* bridge = static_cast<hw_v8_t*>(data);
  hw_gc_mark_t mark;
  __builtin_prefetch(bridge->data, 1);
  pass_gate(bridge);
  read_sizes(isolate, &mark);
  mark.time_ns = bridge->clock();
  bridge->hooks.begin(bridge->data, static_cast<uint32_t>(type), &mark);
}

static void on_epilogue(v8::Isolate* isolate, v8::GCType type,
                        v8::GCCallbackFlags flags, void* data) {
  if (hw_gate_in_child()) return;
  hw_v8_t* bridge = static_cast<hw_v8_t*>(data);
  hw_gc_mark_t mark;
  mark.time_ns = bridge->clock();
  for (size_t i = 0; i < bridge->lines; i++)
    __builtin_prefetch(bridge->line[i], 1);
  read_sizes(isolate, &mark);
  bridge->hooks.end(bridge->data, static_cast<uint32_t>(type),
                    static_cast<uint32_t>(flags), &mark);
  hw_gate_leave();
}

void hw_v8_add_gc_hooks(hw_v8_t* bridge, const hw_v8_gc_hooks_t* hooks,
                        void* data) {
  if (bridge->hooked) return;
  bridge->hooks = *hooks;
  bridge->data = data;
  bridge->isolate->AddGCPrologueCallback(on_prologue, bridge);
  bridge->isolate->AddGCEpilogueCallback(on_epilogue, bridge);
  bridge->hooked = true;
}

void hw_v8_next_lines(hw_v8_t* bridge, const void* const* lines, size_t count) {
  for (size_t i = 0; i < count; i++)
    bridge->line[i] = lines[i];
  bridge->lines = count;
}

void hw_v8_remove_gc_hooks(hw_v8_t* bridge) {
  if (!bridge->hooked) return;
  bridge->isolate->RemoveGCPrologueCallback(on_prologue, bridge);
  bridge->isolate->RemoveGCEpilogueCallback(on_epilogue, bridge);
  bridge->hooked = false;
}

void hw_v8_heap_statistics(hw_v8_t* bridge, hw_heap_statistics_t* heap) {
  v8::HeapStatistics from;
  bridge->isolate->GetHeapStatistics(&from);
  heap->used_heap_bytes = from.used_heap_size();
  heap->total_heap_bytes = from.total_heap_size();
  heap->physical_heap_bytes = from.total_physical_size();
  heap->available_bytes = from.total_available_size();
  heap->heap_limit_bytes = from.heap_size_limit();
  heap->executable_bytes = from.total_heap_size_executable();
  heap->malloced_bytes = from.malloced_memory();
  heap->peak_malloced_bytes = from.peak_malloced_memory();
  heap->external_bytes = from.external_memory();
  heap->global_handles_bytes = from.total_global_handles_size();
  heap->used_global_handles_bytes = from.used_global_handles_size();
  heap->native_contexts = from.number_of_native_contexts();
  heap->detached_contexts = from.number_of_detached_contexts();
}

size_t hw_v8_heap_space_count(hw_v8_t* bridge) {
  return bridge->isolate->NumberOfHeapSpaces();
}

int hw_v8_heap_space(hw_v8_t* bridge, size_t index, hw_heap_space_t* space) {
  v8::HeapSpaceStatistics from;
  if (index >= bridge->isolate->NumberOfHeapSpaces() ||
      !bridge->isolate->GetHeapSpaceStatistics(&from, index))
    return HW_ERANGE;
  space->name = from.space_name();
  space->size_bytes = from.space_size();
  space->used_bytes = from.space_used_size();
  space->available_bytes = from.space_available_size();
  space->physical_bytes = from.physical_space_size();
  return 0;
}
