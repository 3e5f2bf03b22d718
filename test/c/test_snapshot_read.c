#define _GNU_SOURCE /* memfd_create */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/hw_error.h"
#include "snapshot/hw_snapshot_graph.h"
#include "snapshot_builder.h"

/* A root with two children, one of which holds the other. */
static builder_t* small(void) {
  builder_t* b = new_builder();
  unsigned first = add_node(b, HW_NODE_OBJECT, "First", 40);
  unsigned second = add_node(b, HW_NODE_STRING, "second \\\"text\\\"", 24);
  add_edge(b, 0, HW_EDGE_ELEMENT, "1", first);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "global", first);
  add_edge(b, first, HW_EDGE_PROPERTY, "name", second);
  return b;
}

static int read_text(const char* text, size_t length,
                     hw_snapshot_error_t* error) {
  /* A copy of just this length, so that sanitizers see a byte too far. */
  uint8_t* copy = malloc(length + (length == 0));
  assert_non_null(copy);
  memcpy(copy, text, length);
  hw_snapshot_t* s = NULL;
  int status = hw_snapshot_read(copy, length, NULL, &s, error);
  if (status == 0) hw_snapshot_destroy(s);
  free(copy);
  return status;
}

/* Replaces the first `from` in a small snapshot and wants an error that
 * points at the byte `shift` after it. */
static void assert_rejected(const char* from, const char* to, int64_t shift) {
  builder_t* b = small();
  build_text(b);
  hw_text_string(&b->text, "");
  hw_text_append(&b->text, "", 1);
  char* found = strstr(b->text.data, from);
  assert_non_null(found);
  size_t at = (size_t)(found - b->text.data);
  hw_text_t changed = {NULL, 0, 0, false};
  hw_text_append(&changed, b->text.data, at);
  hw_text_string(&changed, to);
  hw_text_string(&changed, found + strlen(from));
  hw_snapshot_error_t error = {NULL, 0};
  assert_int_equal(read_text(changed.data, changed.length, &error), HW_EFORMAT);
  assert_non_null(error.what);
  if (shift >= 0 && error.offset != at + (size_t)shift)
    fail_msg("%s: byte %zu, not %zu: %s", to, (size_t)error.offset,
             at + (size_t)shift, error.what);
  hw_text_close(&changed);
  built_close(b);
}

static void reads_nodes_edges_and_strings(void** state) {
  (void)state;
  builder_t* b = small();
  hw_snapshot_t* s = NULL;
  assert_int_equal(read_built(b, &s, NULL), 0);
  assert_int_equal(hw_snapshot_nodes(s), 3);
  assert_int_equal(hw_snapshot_edges(s), 3);
  assert_int_equal(hw_snapshot_root(s), 0);
  assert_int_equal(hw_snapshot_id(s, 2), 5);
  assert_int_equal(hw_snapshot_shallow(s, 1), 40);
  assert_int_equal(hw_snapshot_find(s, 5), 2);
  assert_int_equal(hw_snapshot_find(s, 6), HW_NONE);
  assert_true(hw_string_is(s, s->name[2], "second \\\"text\\\""));
  hw_snapshot_destroy(s);
  built_close(b);
}

static void finds_fields_by_the_names_in_meta(void** state) {
  (void)state;
  static const char text[] =
      "{ \"strings\" : [ \"root\" , \"A\" ] , \"snapshot\" : { \"edge_count\" :"
      " 1 , \"node_count\" : 2 , \"root_index\" : 4 , \"meta\" : {"
      "\"edge_types\":[\"node\",[\"weak\",\"element\"],\"x\"],"
      "\"edge_fields\":[\"to_node\",\"type\",\"extra\",\"name_or_index\"],"
      "\"node_types\":[[\"object\",\"synthetic\"]],"
      "\"node_fields\":[\"self_size\",\"edge_count\",\"id\",\"name\",\"type\"]"
      "}},\"more\":[[1,{\"deep\":\"]\"}]],"
      "\"edges\" : [ 0 , 1 , 99 , 7 ] , \"nodes\":[12,0,3,1,0,0,1,1,0,1]}";
  hw_snapshot_error_t error = {"", 0};
  /* root_index 4 is no multiple of the fields: first that. */
  assert_int_equal(read_text(text, sizeof(text) - 1, &error), HW_EFORMAT);
  char* right = strdup(text);
  *strstr(right, " 4 ,") = ' ';
  memcpy(strstr(right, " 4 ,"), " 5 ,", 4);
  hw_snapshot_t* s = NULL;
  assert_int_equal(
      hw_snapshot_read((const uint8_t*)right, strlen(right), NULL, &s, &error),
      0);
  assert_int_equal(hw_snapshot_root(s), 1);
  assert_int_equal(hw_snapshot_shallow(s, 0), 12);
  assert_int_equal(hw_edge_kind(s->edge[0]), HW_EDGE_ELEMENT);
  assert_int_equal(hw_edge_target(s->edge[0]), 0);
  hw_snapshot_destroy(s);
  free(right);
}

static void every_truncation_is_an_error_within_the_file(void** state) {
  (void)state;
  builder_t* b = small();
  build_text(b);
  size_t whole = b->text.length - 1; /* the line end may be missing */
  for (size_t length = 0; length < whole; length++) {
    hw_snapshot_error_t error = {NULL, SIZE_MAX};
    assert_int_equal(read_text(b->text.data, length, &error), HW_EFORMAT);
    assert_true(error.offset <= length);
    assert_non_null(error.what);
  }
  hw_snapshot_error_t none;
  assert_int_equal(read_text(b->text.data, whole, &none), 0);
  built_close(b);
}

static void every_changed_byte_gives_a_graph_or_an_error(void** state) {
  (void)state;
  static const char others[] = "0\"\\,]}[{:9a \x01\xff";
  builder_t* b = small();
  build_text(b);
  for (size_t at = 0; at < b->text.length; at++) {
    char was = b->text.data[at];
    for (size_t i = 0; i < sizeof(others); i++) {
      hw_snapshot_error_t error = {NULL, 0};
      b->text.data[at] = others[i];
      int status = read_text(b->text.data, b->text.length, &error);
      assert_true(status == 0 || status == HW_EFORMAT);
      assert_true(error.offset <= b->text.length);
    }
    b->text.data[at] = was;
  }
  built_close(b);
}

static void errors_name_the_byte(void** state) {
  (void)state;
  assert_rejected("{\"snapshot\"", "[\"snapshot\"", 0);
  assert_rejected("{\"snapshot\"", "snapshot", 0);
  assert_rejected("\"node_count\":3", "\"node_count\":4", -1);
  assert_rejected("\"node_count\":3", "\"node_count\":2", -1);
  assert_rejected("\"node_count\":3", "\"node_count\":99999999999", -1);
  assert_rejected("\"node_count\":3", "\"node_count\":500000000", -1);
  assert_rejected("\"edge_count\":3", "\"edge_count\":4", -1);
  assert_rejected("\"edge_count\":3", "\"edge_count\":2", -1);
  assert_rejected("\"edge_count\":3", "\"edge_count\":4000000000", -1);
  /* rows: the offset is that of the row's first number */
  assert_rejected(",2,4,12\n", ",2,4,18\n", 1); /* no such node */
  assert_rejected(",2,4,12\n", ",2,4,13\n", 1); /* within a node */
  assert_rejected(",2,4,12\n", ",2,4,18446744073709551615\n", 5);
  assert_rejected(",2,4,12\n", ",2,5,12\n", 1); /* no such string */
  assert_rejected(",2,4,12\n", ",7,4,12\n", 1); /* no such type */
  assert_rejected(",2,4,12\n", ",2,4,-12\n", 5);
  assert_rejected(",2,4,12\n", ",2,4,1.5\n", -1);
  assert_rejected(",2,4,12\n", ",2,4,12,\n", 7);
  assert_rejected(",2,4,12\n", ",2,4\n", 5);
  assert_rejected(",3,1,3,40,1,0\n", ",15,1,3,40,1,0\n", 1);
  assert_rejected(",3,1,3,40,1,0\n", ",3,9,3,40,1,0\n", 1);
  assert_rejected(",3,1,3,40,1,0\n", ",3,1,4294967296,40,1,0\n", 1);
  assert_rejected(",3,1,3,40,1,0\n", ",3,1,3,99999999999999999,1,0\n", 1);
  assert_rejected(",3,1,3,40,1,0\n", ",3,1,3,40,4294967298,0\n", 1);
  /* strings */
  assert_rejected("\"First\"", "\"Fi\\qrst\"", 3);
  assert_rejected("\"First\"", "\"Fi\\u12g4rst\"", 3);
  assert_rejected("\"First\"", "\"Fi\nrst\"", 3);
  assert_rejected("\"First\"", "First", 0);
  /* parts */
  assert_rejected("\"edges\"", "\"edgez\"", -1);
  assert_rejected("\"strings\"", "\"nodes\"", 8);
  assert_rejected("]}\n", "],\"strings\":[\"x\"]}\n", -1);
  assert_rejected("]}\n", "],\"more\":{\"strings\":[\"x\"]}}\n", -1);
  assert_rejected("\"weak\"", "\"novel\"", 1);
  assert_rejected("]}\n", "]}\n{}", 3);
}

static void depth_costs_nothing(void** state) {
  (void)state;
  hw_text_t text = {NULL, 0, 0, false};
  hw_text_string(&text, "{\"deep\":");
  for (unsigned i = 0; i < 2000000; i++)
    hw_text_string(&text, "[");
  hw_snapshot_error_t error = {NULL, 0};
  assert_int_equal(read_text(text.data, text.length, &error), HW_EFORMAT);
  assert_int_equal(error.offset, text.length);
  hw_text_close(&text);
}

static void strings_may_hold_any_character(void** state) {
  (void)state;
  static const char* const names[] = {
      "\xF0\x9F\x98\x80 raw", "\\ud83d\\ude00 escaped",      "\\ud800 alone",
      "\xFF\xC0 no UTF-8",    "tab\\tquote\\\"slash\\/\\\\", "caf\xC3\xA9",
      "\\\"strings\\\":[1]"};
  static const uint32_t first[] = {0x1F600, 0xD83D, 0xD800, 0x3F,
                                   't',     'c',    '"'};
  builder_t* b = small();
  for (unsigned i = 0; i < 7; i++)
    add_node(b, HW_NODE_STRING, names[i], 16);
  hw_snapshot_t* s = NULL;
  assert_int_equal(read_built(b, &s, NULL), 0);
  for (unsigned i = 0; i < 7; i++) {
    uint32_t length, code;
    const uint8_t* at = hw_string(s, s->name[3 + i], &length);
    assert_int_equal(length, strlen(names[i]));
    assert_memory_equal(at, names[i], length);
    assert_true(hw_text_decode(&at, at + length, &code));
    if (i != 3) assert_int_equal(code, first[i]);
  }
  hw_snapshot_destroy(s);
  built_close(b);
}

static void sizes_of_4_gb_and_more_are_exact(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned buffer =
      add_node(b, HW_NODE_NATIVE, "system / JSArrayBufferData", 5000000000u);
  unsigned odd = add_node(b, HW_NODE_NATIVE, "x", UINT32_MAX);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "a", buffer);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "b", odd);
  hw_snapshot_t* s = compute_built(b);
  assert_int_equal(hw_snapshot_shallow(s, buffer), 5000000000u);
  assert_int_equal(hw_snapshot_shallow(s, odd), UINT32_MAX);
  assert_int_equal(hw_snapshot_total(s), 5000000000u + UINT32_MAX);
  hw_snapshot_destroy(s);
  built_close(b);
}

static int stop(void* data, const char* stage, double fraction) {
  (void)stage;
  (void)fraction;
  unsigned* calls = data;
  return --*calls == 0;
}

static void progress_can_cancel(void** state) {
  (void)state;
  builder_t* b = small();
  hw_snapshot_t* s = NULL;
  unsigned calls = 2;
  build_text(b);
  hw_snapshot_options_t options = {.progress = stop, .progress_data = &calls};
  assert_int_equal(hw_snapshot_read((const uint8_t*)b->text.data,
                                    b->text.length, &options, &s, NULL),
                   0);
  assert_int_equal(hw_snapshot_compute_shallow(s), 0);
  assert_int_equal(hw_snapshot_compute_distances(s), HW_ECANCELED);
  hw_snapshot_destroy(s);
  built_close(b);
}

#ifndef __SANITIZE_ADDRESS__
/* 64 MB of spaces, mapped again and again: a text of more than 4 GB that costs
 * 64 MB. The snapshot comes behind it. */
static void there_is_no_limit_at_2_or_4_gb(void** state) {
  (void)state;
  const size_t block = 64u << 20;
  const size_t blocks = 65;
  int fd = memfd_create("spaces", 0);
  assert_true(fd >= 0 && ftruncate(fd, (off_t)block) == 0);
  uint8_t* spaces =
      mmap(NULL, block, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_true(spaces != MAP_FAILED);
  memset(spaces, ' ', block);
  munmap(spaces, block);
  uint8_t* text = mmap(NULL, block * (blocks + 1), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_true(text != MAP_FAILED);
  for (size_t i = 0; i < blocks; i++)
    assert_true(mmap(text + i * block, block, PROT_READ, MAP_SHARED | MAP_FIXED,
                     fd, 0) != MAP_FAILED);
  builder_t* b = small();
  build_text(b);
  memcpy(text + block * blocks, b->text.data, b->text.length);
  hw_snapshot_t* s = NULL;
  hw_snapshot_error_t error = {"", 0};
  uint64_t length = block * blocks + b->text.length;
  assert_int_equal(hw_snapshot_read(text, length, NULL, &s, &error), 0);
  assert_true(hw_string_is(s, s->name[1], "First"));
  hw_snapshot_destroy(s);
  text[length - 2] = '?';
  assert_int_equal(hw_snapshot_read(text, length, NULL, &s, &error),
                   HW_EFORMAT);
  assert_true(error.offset == length - 2);
  munmap(text, block * (blocks + 1));
  close(fd);
  built_close(b);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_nodes_edges_and_strings),
      cmocka_unit_test(finds_fields_by_the_names_in_meta),
      cmocka_unit_test(every_truncation_is_an_error_within_the_file),
      cmocka_unit_test(every_changed_byte_gives_a_graph_or_an_error),
      cmocka_unit_test(errors_name_the_byte),
      cmocka_unit_test(depth_costs_nothing),
      cmocka_unit_test(strings_may_hold_any_character),
      cmocka_unit_test(sizes_of_4_gb_and_more_are_exact),
      cmocka_unit_test(progress_can_cancel),
#ifndef __SANITIZE_ADDRESS__
      cmocka_unit_test(there_is_no_limit_at_2_or_4_gb),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
