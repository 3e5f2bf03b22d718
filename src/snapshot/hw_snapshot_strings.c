/*
 * The `strings` array, and what some of its strings mean to a graph.
 */

#include "snapshot/hw_snapshot_graph.h"

bool hw_string_is(const hw_snapshot_t* s, uint32_t index, const char* literal) {
  uint32_t length;
  if (index >= s->strings) return false;
  const uint8_t* text = hw_string(s, index, &length);
  return length == strlen(literal) && memcmp(text, literal, length) == 0;
}

bool hw_string_starts(const hw_snapshot_t* s, uint32_t index,
                      const char* literal) {
  uint32_t length;
  if (index >= s->strings) return false;
  const uint8_t* text = hw_string(s, index, &length);
  size_t wanted = strlen(literal);
  return length >= wanted && memcmp(text, literal, wanted) == 0;
}

static const uint8_t* digits(const uint8_t* at, const uint8_t* end) {
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* From `end` backwards over digits and " @" before them; NULL if they are
 * not there. */
static const uint8_t* id_before(const uint8_t* start, const uint8_t* end) {
  const uint8_t* at = end;
  while (at > start && at[-1] >= '0' && at[-1] <= '9')
    at--;
  if (at == end || at - start < 2 || at[-1] != '@' || at[-2] != ' ')
    return NULL;
  return at - 2;
}

static bool ends(const uint8_t* start, const uint8_t* end, const char* with) {
  size_t length = strlen(with);
  return (size_t)(end - start) >= length &&
         memcmp(end - length, with, length) == 0;
}

/* Is there, within the names of the key and the value, the seam between the
 * two? Either name may contain anything but a line's end. */
static bool has_seam(const uint8_t* start, const uint8_t* end) {
  static const char seam[] = ") -> value (";
  const size_t length = sizeof(seam) - 1;
  for (const uint8_t* at = start; (size_t)(end - at) >= length; at++) {
    at = memchr(at, ')', (size_t)(end - at));
    if (at == NULL || (size_t)(end - at) < length) return false;
    if (memcmp(at, seam, length) == 0 && id_before(start, at) != NULL)
      return true;
  }
  return false;
}

/* DevTools' pattern lets a name hold all but the line ends of JavaScript,
 * which the file has escaped, or as UTF-8. */
static bool has_line_end(const uint8_t* at, const uint8_t* end) {
  static const char* const escapes[] = {"\\n",     "\\r",     "\\u2028",
                                        "\\u2029", "\\u000a", "\\u000A",
                                        "\\u000d", "\\u000D"};
  for (; at < end; at++) {
    size_t left = (size_t)(end - at);
    if (*at == '\\') {
      for (unsigned i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        size_t length = strlen(escapes[i]);
        if (left >= length && memcmp(at, escapes[i], length) == 0) return true;
      }
      at++;
    } else if (left > 2 && at[0] == 0xE2 && at[1] == 0x80 &&
               (at[2] == 0xA8 || at[2] == 0xA9)) {
      return true;
    }
  }
  return false;
}

bool hw_ephemeron_parse(const uint8_t* name, uint32_t length, uint32_t* table,
                        uint32_t* shared) {
  static const char opening[] = " / part of key (";
  const uint8_t* end = name + length;
  const uint8_t* rest = digits(name, end);
  if (rest == name || (size_t)(end - rest) < sizeof(opening) - 1 ||
      memcmp(rest, opening, sizeof(opening) - 1) != 0)
    return false;
  if (end[-1] != ')') return false;
  const uint8_t* id_end = end - 1;
  const uint8_t* id = id_before(rest, id_end);
  if (id == NULL || !ends(rest, id, ") pair in WeakMap (table")) return false;
  const uint8_t* value_end = id - strlen(") pair in WeakMap (table");
  const uint8_t* value = id_before(rest, value_end);
  const uint8_t* key = rest + sizeof(opening) - 1;
  if (value == NULL || value < key || !has_seam(key, value) ||
      has_line_end(key, value))
    return false;
  uint64_t number = 0;
  for (const uint8_t* at = id + 2; at < id_end && number <= UINT32_MAX; at++)
    number = number * 10 + (uint64_t)(*at - '0');
  *table = number > UINT32_MAX ? HW_NONE : (uint32_t)number;
  *shared = (uint32_t)(rest - name);
  return true;
}

typedef struct {
  const char* text;
  size_t member;
} known_t;

#define KNOWN(text, member) \
  { text, offsetof(hw_known_strings_t, member) }
static const known_t known[] = {
    KNOWN("Object", object),
    KNOWN("Array", array),
    KNOWN("__proto__", proto),
    KNOWN("first", first),
    KNOWN("second", second),
    KNOWN("elements", elements),
    KNOWN("truncated", truncated),
    KNOWN("length", length),
    KNOWN("hash", hash),
    KNOWN("value", value),
    KNOWN("system / NativeContext", native_context),
    KNOWN("sloppy_function_map", sloppy_function_map),
    KNOWN("(map descriptors)", map_descriptors),
    KNOWN("system / ExternalStringData", external_string_data),
    KNOWN("system / JSArrayBufferData", array_buffer_data),
    KNOWN("(Document DOM trees)", dom_trees),
    KNOWN("bool", boolean_name),
    KNOWN("true", true_name),
    KNOWN("int", int_name),
};
#undef KNOWN

static void recognize(hw_snapshot_t* s, uint32_t index, const uint8_t* text,
                      uint32_t length) {
  if (length > 32) return;
  for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (text[0] != known[i].text[0] || strlen(known[i].text) != length ||
        memcmp(text, known[i].text, length) != 0)
      continue;
    uint32_t* slot = (uint32_t*)((char*)&s->known + known[i].member);
    if (*slot == HW_NONE) *slot = index;
  }
}

static int note_ephemeron(hw_snapshot_t* s, uint32_t index) {
  uint32_t* names = hw_room_for_one(s->ephemeron_names, s->ephemeron_name_count,
                                    sizeof(uint32_t));
  if (names == NULL) return HW_ENOMEM;
  s->ephemeron_names = names;
  s->ephemeron_names[s->ephemeron_name_count++] = index;
  return 0;
}

static int append(hw_snapshot_t* s, uint64_t* capacity, uint64_t at) {
  if ((uint64_t)s->strings + 1 >= *capacity) {
    *capacity = *capacity * 2 + 1024;
    uint64_t* grown = realloc(s->string_at, *capacity * sizeof(uint64_t));
    if (grown == NULL) return HW_ENOMEM;
    s->string_at = grown;
  }
  s->string_at[s->strings] = at;
  return 0;
}

int hw_strings_read(hw_json_t* json, hw_snapshot_t* s) {
  int status = hw_json_expect(json, '[', "strings is not an array");
  bool first = true;
  bool more = true;
  uint64_t capacity = 0;
  uint64_t released = json->at;
  memset(&s->known, 0xFF, sizeof(s->known));
  while (status == 0) {
    hw_json_slice_t slice;
    status = hw_json_next(json, ']', &first, &more);
    if (status != 0 || !more) break;
    status = hw_json_string(json, &slice);
    if (status == 0 && s->strings == HW_NONE - 1)
      status = hw_json_fail(json, slice.at, "more than 4 billion strings");
    if (status == 0) status = append(s, &capacity, slice.at);
    if (status != 0) break;
    const uint8_t* text = json->text + slice.at;
    uint32_t ignored;
    if (slice.length > 0) recognize(s, s->strings, text, slice.length);
    if (slice.length > 0 && text[0] >= '0' && text[0] <= '9' &&
        hw_ephemeron_parse(text, slice.length, &ignored, &ignored))
      status = note_ephemeron(s, s->strings);
    s->strings++;
    if (status == 0 && json->at - released >= HW_RELEASE_EVERY) {
      released = hw_release(s, released, json->at);
      status = hw_progress(s, "reading strings",
                           (double)json->at / (double)json->length);
    }
  }
  hw_release(s, released, json->at);
  /* As if one more began two bytes after the bracket: see hw_string. */
  if (status == 0) status = append(s, &capacity, json->at + 1);
  if (status == 0 && s->strings == 0)
    status = hw_json_fail(json, json->at, "strings is empty");
  return status;
}
