#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>

#include <v8-profiler.h>

#include "hw_v8_bridge.h"

extern "C" {
#include "core/hw_error.h"
}

using v8::AllocationProfile;

/* The longest text taken of a name or an address, in bytes. */
static const size_t kTextBytes = 1 << 16;

/* Within a reading V8 must be given room, or it dies before the reading is
 * written down; a fixed 8 MB was not always enough on Node.js 20. */
static const size_t kNestedRoom = 32u << 20;

/* V8 asks the next callback only if the limit moves at all; one byte was not
 * always enough, nor always were 4 and 8 MB. */
static const size_t kChainRoom = 1u << 20;

/* -- The profiler ---------------------------------------------------------- */

int hw_v8_sites_start(hw_v8_t* bridge, uint64_t interval_bytes,
                      int stack_depth) {
  if (bridge->sampling) return 0;
  if (bridge->texts == nullptr) {
    bridge->texts = new (std::nothrow) char[2 * kTextBytes];
    if (bridge->texts == nullptr) return HW_ENOMEM;
  }
  if (!bridge->isolate->GetHeapProfiler()->StartSamplingHeapProfiler(
          interval_bytes, stack_depth))
    return HW_EBUSY;
  bridge->sampling = true;
  return 0;
}

void hw_v8_sites_stop(hw_v8_t* bridge) {
  if (!bridge->sampling) return;
  bridge->sampling = false;
  bridge->isolate->GetHeapProfiler()->StopSamplingHeapProfiler();
}

void hw_v8_sites_abandon(hw_v8_t* bridge) {
  bridge->sampling = false;
}

/* V8's profiler keeps so many UTF-16 units of a name. It may cut through a
 * character, which then reads as three of U+FFFD. */
static const int kCutLength = 1024;

static size_t mark_cut(char* text, size_t length) {
  static const char unreadable[] = "\xef\xbf\xbd";
  static const char cut[] = "\xe2\x80\xa6"; /* … */
  while (length >= 3 && memcmp(text + length - 3, unreadable, 3) == 0)
    length -= 3;
  memcpy(text + length, cut, 3);
  return length + 3;
}

/* Copies a string as UTF-8, as much of it as fits; returns the bytes. */
static size_t copy_text(v8::Isolate* isolate, v8::Local<v8::String> string,
                        char* text) {
  if (string.IsEmpty()) return 0;
  size_t room = kTextBytes - 3;
#if V8_MAJOR_VERSION >= 13
  size_t length = string->WriteUtf8V2(
      isolate, text, room, v8::String::WriteFlags::kReplaceInvalidUtf8);
#else
  int options =
      v8::String::NO_NULL_TERMINATION | v8::String::REPLACE_INVALID_UTF8;
  size_t length = static_cast<size_t>(string->WriteUtf8(
      isolate, text, static_cast<int>(room), nullptr, options));
#endif
  return string->Length() < kCutLength ? length : mark_cut(text, length);
}

/* A profile, and the room for the texts of one node at a time. */
struct profile_t {
  hw_v8_t* bridge;
  AllocationProfile* profile;
  char* name;
  char* url;
};

static void close_profile(profile_t* opened) {
  delete opened->profile;
  opened->bridge->reading = false;
}

/* Has V8 build a profile. In a scope for handles, which the caller opens. */
static int open_profile(hw_v8_t* bridge, profile_t* opened) {
  if (!bridge->sampling || bridge->reading) return HW_ESTATE;
  bridge->reading = true;
  *opened = {bridge, bridge->isolate->GetHeapProfiler()->GetAllocationProfile(),
             bridge->texts, bridge->texts + kTextBytes};
  if (opened->profile != nullptr) return 0;
  bridge->sampling = false;
  close_profile(opened);
  return HW_ESTATE;
}

/* -- Into sites ------------------------------------------------------------ */

static uint32_t function_of(profile_t* opened, hw_sites_t* sites,
                            const AllocationProfile::Node* node) {
  v8::Isolate* isolate = opened->bridge->isolate;
  bool scripted = node->script_id != 0;
  size_t name_length =
      scripted ? 0 : copy_text(isolate, node->name, opened->name);
  uint32_t found = hw_sites_find(sites, node->script_id, node->start_position,
                                 opened->name, name_length);
  if (found != HW_SITES_NONE) return found;
  if (scripted) name_length = copy_text(isolate, node->name, opened->name);
  size_t url_length = copy_text(isolate, node->script_name, opened->url);
  hw_sites_function_t function = {};
  function.name = opened->name;
  function.url = opened->url;
  function.script = node->script_id;
  function.position = node->start_position;
  function.line = node->line_number;
  function.column = node->column_number;
  return hw_sites_add(sites, &function, name_length, url_length);
}

/* As deep as the stacks that were sampled. */
static void walk(profile_t* opened, hw_sites_t* sites,
                 const AllocationProfile::Node* node, bool is_root) {
  if (!is_root) hw_sites_enter(sites, function_of(opened, sites, node));
  double bytes = 0;
  for (const AllocationProfile::Allocation& allocation : node->allocations)
    bytes += static_cast<double>(allocation.size) * allocation.count;
  if (!node->allocations.empty()) hw_sites_node(sites, node->node_id, bytes);
  for (const AllocationProfile::Node* child : node->children)
    walk(opened, sites, child, false);
  if (!is_root) hw_sites_leave(sites);
}

int hw_v8_sites_read(hw_v8_t* bridge, hw_sites_t* sites, double time_ms) {
  v8::HandleScope scope(bridge->isolate);
  profile_t opened;
  int error = open_profile(bridge, &opened);
  if (error != 0) return error;
  v8::HeapStatistics heap;
  bridge->isolate->GetHeapStatistics(&heap);
  hw_sites_begin(sites, time_ms, heap.used_heap_size());
  walk(&opened, sites, opened.profile->GetRootNode(), true);
  for (const AllocationProfile::Sample& sample : opened.profile->GetSamples())
    hw_sites_sample(sites, sample.node_id, sample.sample_id,
                    static_cast<double>(sample.size) * sample.count,
                    sample.count);
  close_profile(&opened);
  return hw_sites_end(sites);
}

/* -- Into a file of DevTools ------------------------------------------------
 */

struct sink_t {
  hw_v8_write_cb write;
  void* data;
  bool open;
};

static void put(sink_t* sink, const char* text, size_t length) {
  if (sink->open) sink->open = sink->write(sink->data, text, length);
}

static void put(sink_t* sink, const char* text) {
  put(sink, text, strlen(text));
}

static void put_number(sink_t* sink, const char* key, double number) {
  char text[64];
  int length = snprintf(text, sizeof(text), "\"%s\":%.0f", key, number);
  put(sink, text, static_cast<size_t>(length));
}

static void put_string(sink_t* sink, const char* key, const char* text,
                       size_t length) {
  put(sink, "\"");
  put(sink, key);
  put(sink, "\":\"");
  size_t from = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    char escape[8];
    int size = snprintf(escape, sizeof(escape), "\\u%04x", byte);
    put(sink, text + from, i - from);
    put(sink, escape, static_cast<size_t>(size));
    from = i + 1;
  }
  put(sink, text + from, length - from);
  put(sink, "\"");
}

/* Lines and columns are counted from 0 there; -1 is unknown. */
static void put_call_frame(sink_t* sink, profile_t* opened,
                           const AllocationProfile::Node* node) {
  v8::Isolate* isolate = opened->bridge->isolate;
  char script[16];
  int length = snprintf(script, sizeof(script), "%d", node->script_id);
  put(sink, "\"callFrame\":{");
  put_string(sink, "functionName", opened->name,
             copy_text(isolate, node->name, opened->name));
  put(sink, ",");
  put_string(sink, "scriptId", script, static_cast<size_t>(length));
  put(sink, ",");
  put_string(sink, "url", opened->url,
             copy_text(isolate, node->script_name, opened->url));
  put(sink, ",");
  put_number(sink, "lineNumber", node->line_number - 1);
  put(sink, ",");
  put_number(sink, "columnNumber", node->column_number - 1);
  put(sink, "}");
}

static void put_node(sink_t* sink, profile_t* opened,
                     const AllocationProfile::Node* node) {
  double bytes = 0;
  for (const AllocationProfile::Allocation& allocation : node->allocations)
    bytes += static_cast<double>(allocation.size) * allocation.count;
  put(sink, "{");
  put_call_frame(sink, opened, node);
  put(sink, ",");
  put_number(sink, "selfSize", bytes);
  put(sink, ",");
  put_number(sink, "id", node->node_id);
  put(sink, ",\"children\":[");
  bool first = true;
  for (const AllocationProfile::Node* child : node->children) {
    if (!first) put(sink, ",");
    first = false;
    put_node(sink, opened, child);
  }
  put(sink, "]}");
}

static void put_samples(sink_t* sink, AllocationProfile* profile) {
  put(sink, ",\"samples\":[");
  bool first = true;
  for (const AllocationProfile::Sample& sample : profile->GetSamples()) {
    put(sink, first ? "{" : ",{");
    first = false;
    put_number(sink, "size", static_cast<double>(sample.size) * sample.count);
    put(sink, ",");
    put_number(sink, "count", sample.count);
    put(sink, ",");
    put_number(sink, "nodeId", sample.node_id);
    put(sink, ",");
    put_number(sink, "ordinal", static_cast<double>(sample.sample_id));
    put(sink, "}");
  }
  put(sink, "]");
}

int hw_v8_sites_write_profile(hw_v8_t* bridge, hw_v8_write_cb write,
                              void* data) {
  v8::HandleScope scope(bridge->isolate);
  profile_t opened;
  int error = open_profile(bridge, &opened);
  if (error != 0) return error;
  sink_t sink = {write, data, true};
  put(&sink, "{\"head\":");
  put_node(&sink, &opened, opened.profile->GetRootNode());
  put_samples(&sink, opened.profile);
  put(&sink, "}\n");
  close_profile(&opened);
  return sink.open ? 0 : HW_ECANCELED;
}

/* -- Interrupts --------------------------------------------------------------
 */

static std::mutex bridges_lock;
static hw_v8_s* bridges;

void hw_v8_link_bridge(hw_v8_t* bridge) {
  std::lock_guard<std::mutex> locked(bridges_lock);
  bridge->next = bridges;
  bridges = bridge;
}

void hw_v8_unlink_bridge(hw_v8_t* bridge) {
  std::lock_guard<std::mutex> locked(bridges_lock);
  hw_v8_s** link = &bridges;
  while (*link != bridge)
    link = &(*link)->next;
  *link = bridge->next;
}

/* Who has asked for an interrupt of this thread's isolate; no other thread ends
 * that bridge. */
static hw_v8_s* asked_by(v8::Isolate* isolate) {
  std::lock_guard<std::mutex> locked(bridges_lock);
  hw_v8_s* bridge = bridges;
  while (bridge != nullptr &&
         (bridge->isolate != isolate || !bridge->interrupt_asked))
    bridge = bridge->next;
  return bridge;
}

static void on_interrupt(v8::Isolate* isolate, void*) {
  hw_v8_s* bridge = asked_by(isolate);
  if (bridge == nullptr) return;
  bridge->interrupt_asked = false;
  bridge->interrupt(bridge->interrupt_data);
}

void hw_v8_request_interrupt(hw_v8_t* bridge, void (*run)(void* data),
                             void* data) {
  if (bridge->interrupt_asked) return;
  bridge->interrupt_asked = true;
  bridge->interrupt = run;
  bridge->interrupt_data = data;
  bridge->isolate->RequestInterrupt(on_interrupt, nullptr);
}

/* -- Near the limit
 * ------------------------------------------------------------ */

static size_t max_of(size_t a, size_t b) {
  return a > b ? a : b;
}

/* What V8 holds against the limit: committed memory of all spaces but those of
 * the young generation. Less than that is no limit that a process survives,
 * and with much more it fills the rest first. */
static size_t old_generation(hw_v8_t* bridge) {
  size_t bytes = 0;
  for (size_t i = 0; i < bridge->isolate->NumberOfHeapSpaces(); i++) {
    v8::HeapSpaceStatistics space;
    if (bridge->isolate->GetHeapSpaceStatistics(&space, i) &&
        strncmp(space.space_name(), "new_", 4) != 0)
      bytes += space.space_size();
  }
  return bytes;
}

static size_t on_near_limit(void* data, size_t current_limit, size_t) {
  hw_v8_t* bridge = static_cast<hw_v8_t*>(data);
  size_t least = max_of(current_limit, old_generation(bridge));
  if (bridge->near_limit_running || bridge->reading) {
    /* What we are doing needs the room: finish it first. */
    bridge->nested_limit = least + kNestedRoom;
    return bridge->nested_limit;
  }
  bridge->near_limit_running = true;
  bridge->nested_limit = 0;
  bridge->near_limit(bridge->near_limit_data);
  bridge->near_limit_running = false;
  hw_v8_remove_near_limit_hook(bridge);
  least = max_of(least, old_generation(bridge));
  return max_of(least, bridge->nested_limit) + kChainRoom;
}

void hw_v8_add_near_limit_hook(hw_v8_t* bridge, void (*run)(void* data),
                               void* data) {
  if (bridge->near_limit != nullptr) return;
  bridge->near_limit = run;
  bridge->near_limit_data = data;
  bridge->isolate->AddNearHeapLimitCallback(on_near_limit, bridge);
}

void hw_v8_remove_near_limit_hook(hw_v8_t* bridge) {
  /* Removing one that is not there is fatal. */
  if (bridge->near_limit == nullptr) return;
  bridge->near_limit = nullptr;
  bridge->isolate->RemoveNearHeapLimitCallback(on_near_limit, 0);
}

bool hw_v8_has_near_limit_hook(const hw_v8_t* bridge) {
  return bridge->near_limit != nullptr;
}
