/*
 * hw_run_diff: reads the files from the newest to the oldest, since the
 * newest's shapes name the plain objects of all, and keeps an extract of
 * each. What has grown in both of two steps is how a leak shows: a cache that
 * fills up, or a first request's objects, grow in one.
 */

#include <inttypes.h>

#include "snapshot/hw_snapshot_diff.h"
#include "snapshot/hw_snapshot_open.h"

#define FILES_MAX 3

static void add_name(const hw_classes_t* classes, const hw_class_t* k,
                     hw_text_t* out) {
  uint32_t length;
  const char* name = hw_class_name(classes, k->name, &length);
  hw_text_string(out, "{\"name\":");
  hw_text_quoted(out, (const uint8_t*)name, length, SIZE_MAX);
  if (k->located)
    hw_text_format(
        out, ",\"script\":%" PRId32 ",\"line\":%" PRId32 ",\"column\":%" PRId32,
        k->script, k->line, k->column);
}

static void add_numbers(const hw_difference_t* d, hw_text_t* out) {
  hw_text_format(out,
                 "\"added\":%" PRIu32 ",\"removed\":%" PRIu32
                 ",\"addedSize\":%" PRIu64 ",\"removedSize\":%" PRIu64,
                 d->added, d->removed, d->added_bytes, d->removed_bytes);
}

static int add_comparison(const hw_extract_t* older, const hw_extract_t* newer,
                          hw_text_t* out) {
  hw_differences_t differences;
  int status = hw_differences_find(older, newer, &differences);
  hw_text_string(out, "{\"classes\":[");
  for (uint32_t i = 0; status == 0 && i < differences.count; i++) {
    const hw_difference_t* d = &differences.item[i];
    if (i > 0) hw_text_string(out, ",\n");
    if (d->newer != HW_NONE)
      add_name(&newer->classes, &newer->classes.item[d->newer], out);
    else
      add_name(&older->classes, &older->classes.item[d->older], out);
    hw_text_string(out, ",");
    add_numbers(d, out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, "]");
  hw_differences_close(&differences);
  return status;
}

static bool has_grown(const hw_difference_t* d) {
  return d->added > d->removed && d->added_bytes > d->removed_bytes;
}

/* The classes that have more objects and bytes after the first step and more
 * again after the second, by how much they grew in the second. */
static int add_grown(const hw_extract_t* extract, hw_text_t* out) {
  hw_differences_t one, two;
  memset(&two, 0, sizeof(two));
  int status = hw_differences_find(&extract[0], &extract[1], &one);
  if (status == 0) status = hw_differences_find(&extract[1], &extract[2], &two);
  size_t middle = (size_t)extract[1].classes.count + 1;
  uint32_t* of_middle = malloc(middle * sizeof(uint32_t));
  if (of_middle == NULL) status = HW_ENOMEM;
  hw_text_string(out, ",\"grown\":[");
  if (status == 0) {
    memset(of_middle, 0xFF, middle * sizeof(uint32_t));
    for (uint32_t i = 0; i < one.count; i++)
      if (has_grown(&one.item[i]) && one.item[i].newer != HW_NONE)
        of_middle[one.item[i].newer] = i;
  }
  bool first = true;
  for (uint32_t i = 0; status == 0 && i < two.count; i++) {
    const hw_difference_t* d = &two.item[i];
    if (!has_grown(d) || d->older == HW_NONE || d->newer == HW_NONE ||
        of_middle[d->older] == HW_NONE)
      continue;
    if (!first) hw_text_string(out, ",\n");
    first = false;
    add_name(&extract[2].classes, &extract[2].classes.item[d->newer], out);
    hw_text_string(out, ",\"steps\":[{");
    add_numbers(&one.item[of_middle[d->older]], out);
    hw_text_string(out, "},{");
    add_numbers(d, out);
    hw_text_string(out, "}]}");
  }
  hw_text_string(out, "]");
  free(of_middle);
  hw_differences_close(&one);
  hw_differences_close(&two);
  return status;
}

static int take(const char* path, bool newest, const hw_run_options_t* options,
                hw_shapes_t* shapes, hw_extract_t* extract,
                hw_failure_t* failure) {
  hw_opened_t opened;
  int status = hw_opened_open(path, 0, options, &opened, failure);
  if (status == 0 && newest) status = hw_shapes_infer(opened.graph, shapes);
  if (status == 0) status = hw_extract_take(opened.graph, shapes, extract);
  hw_opened_close(&opened);
  return status;
}

int hw_run_diff(const char* const* paths, unsigned count,
                const hw_run_options_t* options, hw_text_t* out,
                hw_failure_t* failure) {
  hw_extract_t extract[FILES_MAX];
  hw_shapes_t shapes;
  memset(extract, 0, sizeof(extract));
  memset(&shapes, 0, sizeof(shapes));
  if (count < 2 || count > FILES_MAX) return HW_EINVAL;
  int status = 0;
  for (unsigned i = count; status == 0 && i-- > 0;) {
    failure->file = i;
    status =
        take(paths[i], i == count - 1, options, &shapes, &extract[i], failure);
  }
  if (status == 0)
    status = add_comparison(&extract[0], &extract[count - 1], out);
  if (status == 0 && count == 3) status = add_grown(extract, out);
  hw_text_string(out, "}\n");
  if (status == 0 && out->failed) status = HW_ENOMEM;
  for (unsigned i = 0; i < FILES_MAX; i++)
    hw_extract_close(&extract[i]);
  hw_shapes_close(&shapes);
  return status;
}
