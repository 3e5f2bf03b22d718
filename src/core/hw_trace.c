#include "hw_trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw_error.h"

/* Longest key or string value that can matter. */
#define HW_TRACE_NAME 32

struct hw_trace_s {
  hw_trace_handler_t handler;
  uint64_t line;
  size_t size;
  bool too_long;
  char buffer[HW_TRACE_LINE];
};

/* A place in a line, and what went wrong first. */
typedef struct {
  const unsigned char* at;
  const unsigned char* end;
  const char* error;
} hw_trace_scan_t;

static bool hw_trace_fail(hw_trace_scan_t* scan, const char* reason) {
  if (scan->error == NULL) scan->error = reason;
  return false;
}

static void hw_trace_space(hw_trace_scan_t* scan) {
  while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' ||
                                  *scan->at == '\r' || *scan->at == '\n')) {
    scan->at++;
  }
}

static int hw_trace_peek(const hw_trace_scan_t* scan) {
  return scan->at < scan->end ? *scan->at : -1;
}

static bool hw_trace_expect(hw_trace_scan_t* scan, char c, const char* reason) {
  hw_trace_space(scan);
  if (hw_trace_peek(scan) != c) return hw_trace_fail(scan, reason);
  scan->at++;
  return true;
}

static bool hw_trace_hex(hw_trace_scan_t* scan, unsigned* code) {
  *code = 0;
  for (int i = 0; i < 4; i++) {
    int c = hw_trace_peek(scan);
    unsigned digit;
    if (c >= '0' && c <= '9') {
      digit = (unsigned)c - '0';
    } else if ((c | 32) >= 'a' && (c | 32) <= 'f' && c > 0) {
      digit = ((unsigned)c | 32) - 'a' + 10;
    } else {
      return hw_trace_fail(scan, "a \\u escape without four digits");
    }
    *code = *code * 16 + digit;
    scan->at++;
  }
  return true;
}

/* The character an escape stands for, after its backslash. Names that matter
 * are ASCII, so that all beyond it may become one sign that none has. */
static bool hw_trace_escape(hw_trace_scan_t* scan, char* c) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  int escape = hw_trace_peek(scan);
  if (escape == -1) return hw_trace_fail(scan, "the line ends in a string");
  scan->at++;
  if (escape == 'u') {
    unsigned code;
    if (!hw_trace_hex(scan, &code)) return false;
    *c = code > 0 && code < 128 ? (char)code : '\x7f';
    return true;
  }
  const char* found = escape != 0 ? strchr(from, escape) : NULL;
  if (found == NULL) return hw_trace_fail(scan, "an unknown escape");
  *c = to[found - from];
  return true;
}

/* Reads a string; as much of it as fits into `name`, or "" if it doesn't fit,
 * which is no name that matters. */
static bool hw_trace_string(hw_trace_scan_t* scan, char name[HW_TRACE_NAME]) {
  size_t length = 0;
  if (!hw_trace_expect(scan, '"', "a string was expected")) return false;
  for (;;) {
    int next = hw_trace_peek(scan);
    if (next == -1) return hw_trace_fail(scan, "the line ends in a string");
    if (next < ' ') return hw_trace_fail(scan, "a control character");
    scan->at++;
    if (next == '"') break;
    char c = (char)next;
    if (next == '\\' && !hw_trace_escape(scan, &c)) return false;
    if (length < HW_TRACE_NAME) name[length] = c;
    length++;
  }
  name[length < HW_TRACE_NAME ? length : 0] = '\0';
  return true;
}

static bool hw_trace_digit(const hw_trace_scan_t* scan) {
  int c = hw_trace_peek(scan);
  return c >= '0' && c <= '9';
}

/* Digits into the 19 that fit 64 bits; returns how far the point moves for
 * those that don't. */
static bool hw_trace_digits(hw_trace_scan_t* scan, uint64_t* mantissa,
                            int* dropped, int* count) {
  *dropped = 0;
  *count = 0;
  if (!hw_trace_digit(scan)) return hw_trace_fail(scan, "not a number");
  for (; hw_trace_digit(scan); scan->at++, ++*count) {
    if (*mantissa < UINT64_C(1000000000000000000)) {
      *mantissa = *mantissa * 10 + (uint64_t)(*scan->at - '0');
    } else {
      ++*dropped;
    }
  }
  return true;
}

static bool hw_trace_exponent(hw_trace_scan_t* scan, int* exponent) {
  scan->at++;
  int sign = 1;
  if (hw_trace_peek(scan) == '-' || hw_trace_peek(scan) == '+') {
    sign = *scan->at++ == '-' ? -1 : 1;
  }
  if (!hw_trace_digit(scan)) return hw_trace_fail(scan, "not a number");
  int value = 0;
  for (; hw_trace_digit(scan); scan->at++) {
    if (value < 100000) value = value * 10 + (*scan->at - '0');
  }
  *exponent += sign * value;
  return true;
}

/* A number by RFC 8259's grammar. Integers up to 2^53 are exact. */
static bool hw_trace_number(hw_trace_scan_t* scan, double* number) {
  bool negative = hw_trace_peek(scan) == '-';
  if (negative) scan->at++;
  uint64_t mantissa = 0;
  int exponent = 0;
  int dropped;
  int count;
  bool zero = hw_trace_peek(scan) == '0';
  if (!hw_trace_digits(scan, &mantissa, &dropped, &count)) return false;
  if (zero && count > 1)
    return hw_trace_fail(scan, "a number with a leading 0");
  exponent += dropped;
  if (hw_trace_peek(scan) == '.') {
    scan->at++;
    if (!hw_trace_digits(scan, &mantissa, &dropped, &count)) return false;
    exponent -= count - dropped;
  }
  int c = hw_trace_peek(scan);
  if ((c == 'e' || c == 'E') && !hw_trace_exponent(scan, &exponent)) {
    return false;
  }
  double value = (double)mantissa;
  /* Two steps, so that neither power leaves the range before its time. */
  if (mantissa != 0 && exponent != 0) {
    int first = exponent / 2;
    value = value * pow(10, first) * pow(10, exponent - first);
  }
  *number = negative ? -value : value;
  return true;
}

static bool hw_trace_word(hw_trace_scan_t* scan, const char* word) {
  size_t length = strlen(word);
  if ((size_t)(scan->end - scan->at) < length ||
      memcmp(scan->at, word, length) != 0) {
    return hw_trace_fail(scan, "not a value");
  }
  scan->at += length;
  return true;
}

/* Skips a string, a number or a word. */
static bool hw_trace_skip_plain(hw_trace_scan_t* scan) {
  char name[HW_TRACE_NAME];
  double number;
  switch (hw_trace_peek(scan)) {
    case '"':
      return hw_trace_string(scan, name);
    case 't':
      return hw_trace_word(scan, "true");
    case 'f':
      return hw_trace_word(scan, "false");
    case 'n':
      return hw_trace_word(scan, "null");
    default:
      return hw_trace_number(scan, &number);
  }
}

/* Skips any value. Nesting is counted, not recursed into, so that no line can
 * exhaust the stack. */
static bool hw_trace_skip(hw_trace_scan_t* scan) {
  char closers[HW_TRACE_DEPTH];
  int depth = 0;
  char name[HW_TRACE_NAME];
  for (;;) {
    hw_trace_space(scan);
    int c = hw_trace_peek(scan);
    bool empty = false;
    if (c == '{' || c == '[') {
      if (depth == HW_TRACE_DEPTH) {
        return hw_trace_fail(scan, "nested too deeply");
      }
      closers[depth++] = c == '{' ? '}' : ']';
      scan->at++;
      hw_trace_space(scan);
      empty = hw_trace_peek(scan) == closers[depth - 1];
    } else if (!hw_trace_skip_plain(scan)) {
      return false;
    }
    /* After a value: out of everything that ends here, then on to the next. */
    if (empty || (c != '{' && c != '[')) {
      hw_trace_space(scan);
      while (depth > 0 && hw_trace_peek(scan) == closers[depth - 1]) {
        depth--;
        scan->at++;
        hw_trace_space(scan);
      }
      if (depth == 0) return true;
      if (!hw_trace_expect(scan, ',', "a comma was expected")) return false;
    }
    if (closers[depth - 1] == '}' &&
        (!hw_trace_string(scan, name) ||
         !hw_trace_expect(scan, ':', "a colon was expected"))) {
      return false;
    }
  }
}

/* Reads the value of one of our own numbers: null is not known. */
static bool hw_trace_field(hw_trace_scan_t* scan, double* field) {
  int c = hw_trace_peek(scan);
  if (c == 'n') return hw_trace_word(scan, "null");
  if (c != '-' && !hw_trace_digit(scan)) {
    return hw_trace_fail(scan, "a number was expected");
  }
  return hw_trace_number(scan, field);
}

/* What a line's own strings say. */
typedef struct {
  char type[HW_TRACE_NAME];
  char kind[HW_TRACE_NAME];
} hw_trace_names_t;

static bool hw_trace_member(hw_trace_scan_t* scan, hw_trace_names_t* names,
                            double* fields) {
  static const char* const keys[HW_TRACE_FIELDS] = {
#define XX(name, key) key,
      HW_TRACE_FIELD_MAP(XX)
#undef XX
  };
  char key[HW_TRACE_NAME];
  if (!hw_trace_string(scan, key)) return false;
  if (!hw_trace_expect(scan, ':', "a colon was expected")) return false;
  hw_trace_space(scan);
  bool text = hw_trace_peek(scan) == '"';
  if (text && strcmp(key, "type") == 0) {
    return hw_trace_string(scan, names->type);
  }
  if (text && strcmp(key, "kind") == 0) {
    return hw_trace_string(scan, names->kind);
  }
  for (int i = 0; i < HW_TRACE_FIELDS; i++) {
    if (strcmp(key, keys[i]) == 0) return hw_trace_field(scan, &fields[i]);
  }
  return hw_trace_skip(scan);
}

static bool hw_trace_object(hw_trace_scan_t* scan, hw_trace_names_t* names,
                            double* fields) {
  if (!hw_trace_expect(scan, '{', "not an object")) return false;
  hw_trace_space(scan);
  if (hw_trace_peek(scan) == '}') {
    scan->at++;
  } else {
    do {
      if (!hw_trace_member(scan, names, fields)) return false;
      hw_trace_space(scan);
    } while (hw_trace_peek(scan) == ',' && scan->at++);
    if (!hw_trace_expect(scan, '}', "a comma or a brace was expected")) {
      return false;
    }
  }
  hw_trace_space(scan);
  if (scan->at < scan->end) return hw_trace_fail(scan, "text after the object");
  return true;
}

/* What a well-formed line means, or why it means nothing. */
static const char* hw_trace_mean(const hw_trace_names_t* names,
                                 const double* fields,
                                 hw_trace_record_t* record) {
  hw_trace_type_t type;
  if (names->type[0] == '\0') return "no type";
  if (strcmp(names->type, "meta") == 0) {
    type = HW_TRACE_META;
  } else if (strcmp(names->type, "sample") == 0) {
    type = HW_TRACE_SAMPLE;
  } else if (strcmp(names->type, "gc") == 0) {
    type = HW_TRACE_GC;
  } else {
    return "";
  }
  if (type != HW_TRACE_META && isnan(fields[HW_TRACE_T])) return "no time";
  for (int i = 0; i < HW_TRACE_FIELDS; i++) {
    if (isinf(fields[i])) return "a number beyond all range";
    if (i != HW_TRACE_T && fields[i] < 0) return "a negative size";
  }
  record->type = type;
  record->kind = strcmp(names->kind, "major") == 0   ? HW_TRACE_MAJOR
                 : strcmp(names->kind, "minor") == 0 ? HW_TRACE_MINOR
                                                     : HW_TRACE_OTHER;
  memcpy(record->fields, fields, sizeof record->fields);
  return NULL;
}

const char* hw_trace_parse(const char* line, size_t size,
                           hw_trace_record_t* record) {
  hw_trace_scan_t scan = {(const unsigned char*)line,
                          (const unsigned char*)line + size, NULL};
  hw_trace_names_t names = {"", ""};
  double fields[HW_TRACE_FIELDS];
  for (int i = 0; i < HW_TRACE_FIELDS; i++)
    fields[i] = NAN;
  hw_trace_space(&scan);
  if (scan.at == scan.end) return "";
  if (!hw_trace_object(&scan, &names, fields)) return scan.error;
  return hw_trace_mean(&names, fields, record);
}

int hw_trace_create(const hw_trace_handler_t* handler, hw_trace_t** reader) {
  hw_trace_t* created = malloc(sizeof *created);
  if (created == NULL) return HW_ENOMEM;
  created->handler = *handler;
  created->line = 0;
  created->size = 0;
  created->too_long = false;
  *reader = created;
  return 0;
}

void hw_trace_destroy(hw_trace_t* reader) {
  free(reader);
}

static void hw_trace_end_line(hw_trace_t* reader) {
  static const char mark[] = "\xef\xbb\xbf";
  const char* line = reader->buffer;
  size_t size = reader->size;
  reader->line++;
  if (reader->line == 1 && size >= 3 && memcmp(line, mark, 3) == 0) {
    line += 3;
    size -= 3;
  }
  hw_trace_record_t record;
  const char* wrong = reader->too_long ? "longer than 65,536 bytes"
                                       : hw_trace_parse(line, size, &record);
  reader->size = 0;
  reader->too_long = false;
  if (wrong == NULL) {
    record.line = reader->line;
    reader->handler.record(reader->handler.context, &record);
  } else if (*wrong != '\0') {
    reader->handler.error(reader->handler.context, reader->line, wrong);
  }
}

void hw_trace_push(hw_trace_t* reader, const char* bytes, size_t size) {
  while (size > 0) {
    const char* newline = memchr(bytes, '\n', size);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : size;
    if (part > HW_TRACE_LINE - reader->size) {
      reader->too_long = true;
    } else if (!reader->too_long) {
      memcpy(reader->buffer + reader->size, bytes, part);
      reader->size += part;
    }
    if (newline == NULL) return;
    hw_trace_end_line(reader);
    bytes += part + 1;
    size -= part + 1;
  }
}

void hw_trace_finish(hw_trace_t* reader) {
  if (reader->size > 0 || reader->too_long) hw_trace_end_line(reader);
}
