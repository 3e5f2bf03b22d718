#ifndef HW_TRACE_H_
#define HW_TRACE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A reader for recorded traces: JSON lines, one object a line.
 *
 *   {"type":"meta","heapLimit":…,"memoryLimit":…}
 *   {"t":ms,"type":"sample","heapUsed":…,"heapTotal":…,"rss":…,
 *    "external":…,"arrayBuffers":…}
 *   {"t":ms,"type":"gc","kind":"major","duration":ms,"heapBefore":…,
 *    "heapAfter":…}
 *
 * Sizes are bytes. `meta` is optional, may come anywhere and holds from there
 * on; besides the above it may have `oldLimit`, the limit of the old space
 * alone. A sample may also have `physicalHeap`, `nativeContexts`, `heapLimit`,
 * `oldLimit` and `memoryLimit`. Keys come in any order; keys and types not
 * known are skipped whatever their values; null is a value not known.
 *
 * Bytes are pushed as they come, cut anywhere. Each line becomes a record or an
 * error with its number, and the next line is read: a trace whose end is cut
 * off is used up to there. Lines of spaces are skipped, as is a byte order
 * mark. The input is checked against the whole grammar of RFC 8259 except that
 * the bytes of strings need not be UTF-8. Nothing depends on the locale.
 *
 * All memory is allocated by hw_trace_create. One thread. Not for use inside a
 * GC.
 */

/* Longest line that is read, in bytes, and deepest nesting. */
#define HW_TRACE_LINE 65536
#define HW_TRACE_DEPTH 64

typedef enum { HW_TRACE_META, HW_TRACE_SAMPLE, HW_TRACE_GC } hw_trace_type_t;

typedef enum {
  HW_TRACE_MINOR,
  HW_TRACE_MAJOR,
  HW_TRACE_OTHER /* incremental, weakcb and whatever else */
} hw_trace_kind_t;

/* Numbers of a record. Those a line doesn't have are NaN. */
#define HW_TRACE_FIELD_MAP(XX)          \
  XX(T, "t")                            \
  XX(HEAP_USED, "heapUsed")             \
  XX(HEAP_TOTAL, "heapTotal")           \
  XX(PHYSICAL_HEAP, "physicalHeap")     \
  XX(RSS, "rss")                        \
  XX(EXTERNAL, "external")              \
  XX(ARRAY_BUFFERS, "arrayBuffers")     \
  XX(NATIVE_CONTEXTS, "nativeContexts") \
  XX(DURATION, "duration")              \
  XX(HEAP_BEFORE, "heapBefore")         \
  XX(HEAP_AFTER, "heapAfter")           \
  XX(HEAP_LIMIT, "heapLimit")           \
  XX(OLD_LIMIT, "oldLimit")             \
  XX(MEMORY_LIMIT, "memoryLimit")

typedef enum {
#define XX(name, key) HW_TRACE_##name,
  HW_TRACE_FIELD_MAP(XX)
#undef XX
      HW_TRACE_FIELDS
} hw_trace_field_t;

typedef struct {
  uint64_t line; /* from 1 */
  hw_trace_type_t type;
  hw_trace_kind_t kind; /* of a gc */
  double fields[HW_TRACE_FIELDS];
} hw_trace_record_t;

/* What becomes of the lines. `reason` is a static string. */
typedef struct {
  void (*record)(void* context, const hw_trace_record_t* record);
  void (*error)(void* context, uint64_t line, const char* reason);
  void* context;
} hw_trace_handler_t;

typedef struct hw_trace_s hw_trace_t;

/* Makes a reader, about 64 KB. The handler is copied. HW_ENOMEM. */
int hw_trace_create(const hw_trace_handler_t* handler, hw_trace_t** reader);

/* Frees a reader; NULL is ignored. */
void hw_trace_destroy(hw_trace_t* reader);

/* Reads on. Calls the handler for each line that ends in these bytes. */
void hw_trace_push(hw_trace_t* reader, const char* bytes, size_t size);

/* The input ends: a last line without a newline is read as well. */
void hw_trace_finish(hw_trace_t* reader);

/* Reads one line, without its newline. Returns NULL, a static string that says
 * what is wrong, or "" for a line to skip. The record is only touched if NULL
 * is returned; its `line` never. Pure. */
const char* hw_trace_parse(const char* line, size_t size,
                           hw_trace_record_t* record);

#endif /* HW_TRACE_H_ */
