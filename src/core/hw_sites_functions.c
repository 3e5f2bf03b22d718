/*
 * The functions that readings have named: each once, with its texts, for as
 * long as sampling goes on.
 */
#include <string.h>

#include "hw_sites_internal.h"

#define INDEX_SIZE (2 * HW_SITES_FUNCTIONS)

static uint64_t hash_of(int32_t script, int32_t position, const char* name,
                        size_t name_length) {
  uint64_t hash = hw_sites_mix((uint32_t)script, (uint32_t)position);
  if (script != 0) return hash;
  for (size_t i = 0; i < name_length; i++)
    hash = hw_sites_mix(hash, (unsigned char)name[i]);
  return hash;
}

static bool is_same(const hw_sites_function_t* function, int32_t script,
                    int32_t position, const char* name, size_t name_length) {
  if (function->script != script) return false;
  if (script != 0) return function->position == position;
  return strncmp(function->name, name, name_length) == 0 &&
         function->name[name_length] == '\0';
}

/* Where in the index the function is, or the free place it would have. */
static uint32_t* place_of(const hw_sites_t* sites, int32_t script,
                          int32_t position, const char* name,
                          size_t name_length) {
  uint64_t at = hash_of(script, position, name, name_length);
  for (;; at++) {
    uint32_t* place = &sites->function_index[at % INDEX_SIZE];
    if (*place == 0 || is_same(&sites->functions[*place - 1], script, position,
                               name, name_length))
      return place;
  }
}

uint32_t hw_sites_find(const hw_sites_t* sites, int32_t script,
                       int32_t position, const char* name, size_t name_length) {
  if (name_length > HW_SITES_TEXT) name_length = HW_SITES_TEXT;
  uint32_t found = *place_of(sites, script, position, name, name_length);
  return found > 0 ? found - 1 : HW_SITES_NONE;
}

static bool starts_with(const char* text, size_t length, const char* start) {
  size_t least = strlen(start);
  return length >= least && memcmp(text, start, least) == 0;
}

static bool has_folder(const char* url, size_t length, const char* folder) {
  size_t least = strlen(folder);
  for (size_t i = 0; i + least + 1 < length; i++) {
    if ((url[i] == '/' || url[i] == '\\') &&
        memcmp(url + i + 1, folder, least) == 0 &&
        (url[i + 1 + least] == '/' || url[i + 1 + least] == '\\'))
      return true;
  }
  return false;
}

static hw_sites_kind_t kind_of(const hw_sites_t* sites, int32_t script,
                               const char* url, size_t length) {
  if (script == 0) return HW_SITES_NATIVE;
  if (starts_with(url, length, "node:")) return HW_SITES_INTERNAL;
  if (sites->own_folder != NULL && starts_with(url, length, sites->own_folder))
    return HW_SITES_OWN;
  return has_folder(url, length, "node_modules") ? HW_SITES_LIBRARY
                                                 : HW_SITES_APPLICATION;
}

static bool continues(char byte) {
  return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Copies a text, without its middle if it is too long, and never a part of a
 * character. Returns an empty text if there is no room. */
static const char* keep(hw_sites_t* sites, const char* text, size_t length) {
  static const char cut[] = "\xe2\x80\xa6"; /* … */
  size_t head = length, tail = 0;
  if (length > HW_SITES_TEXT) {
    tail = HW_SITES_TEXT * 5 / 8;
    head = HW_SITES_TEXT - tail - sizeof(cut);
    while (head > 0 && continues(text[head]))
      head--;
    while (tail > 0 && continues(text[length - tail]))
      tail--;
  }
  size_t needed = head + tail + sizeof(cut);
  if (length == 0 || HW_SITES_TEXTS - sites->text_length < needed) return "";
  char* kept = sites->texts + sites->text_length;
  char* end = kept;
  memcpy(end, text, head);
  end += head;
  if (tail > 0) {
    memcpy(end, cut, sizeof(cut) - 1);
    memcpy(end + sizeof(cut) - 1, text + length - tail, tail);
    end += sizeof(cut) - 1 + tail;
  }
  *end++ = '\0';
  sites->text_length += (size_t)(end - kept);
  return kept;
}

/* Many functions come of one script, mostly one after the other. */
static const char* keep_url(hw_sites_t* sites,
                            const hw_sites_function_t* function,
                            size_t length) {
  uint32_t from = sites->function_count > 512 ? sites->function_count - 512 : 0;
  for (uint32_t i = sites->function_count; i-- > from;) {
    const hw_sites_function_t* other = &sites->functions[i];
    if (other->script == function->script) return other->url;
  }
  return keep(sites, function->url, length);
}

uint32_t hw_sites_add(hw_sites_t* sites, const hw_sites_function_t* function,
                      size_t name_length, size_t url_length) {
  /* Number 0 is kept for those that find no room. */
  if (sites->function_count == HW_SITES_FUNCTIONS) return 0;
  /* A native one is found again by its name, as kept. */
  size_t told = name_length;
  if (function->script == 0 && told > HW_SITES_TEXT) told = HW_SITES_TEXT;
  uint32_t number = sites->function_count;
  hw_sites_function_t* added = &sites->functions[number];
  *added = *function;
  added->name = keep(sites, function->name, told);
  added->url =
      function->script == 0 ? "" : keep_url(sites, function, url_length);
  added->kind = kind_of(sites, function->script, function->url, url_length);
  *place_of(sites, function->script, function->position, added->name,
            strlen(added->name)) = number + 1;
  sites->function_count++;
  return number;
}

const hw_sites_function_t* hw_sites_function(const hw_sites_t* sites,
                                             uint32_t function) {
  return &sites->functions[function < sites->function_count ? function : 0];
}

const char* hw_sites_kind_name(hw_sites_kind_t kind) {
  static const char* const names[] = {"application", "library", "internal",
                                      "native", "library"};
  return (unsigned)kind < 5 ? names[kind] : "unknown";
}
