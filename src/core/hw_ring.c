#include "hw_ring.h"

#include <stdlib.h>
#include <string.h>

#include "hw_error.h"

int hw_ring_init(hw_ring_t* ring, size_t capacity, size_t record_bytes) {
  if (capacity == 0 || record_bytes == 0 || capacity > SIZE_MAX / record_bytes)
    return HW_EINVAL;
  unsigned char* records = calloc(capacity, record_bytes);
  if (records == NULL) return HW_ENOMEM;
  *ring = (hw_ring_t){
      .records = records, .record_bytes = record_bytes, .capacity = capacity};
  return 0;
}

void hw_ring_close(hw_ring_t* ring) {
  free(ring->records);
  ring->records = NULL;
  ring->capacity = 0;
  ring->first = 0;
  ring->count = 0;
}

static unsigned char* slot(const hw_ring_t* ring, size_t index) {
  size_t position = ring->first + index;
  if (position >= ring->capacity) position -= ring->capacity;
  return ring->records + position * ring->record_bytes;
}

static void drop_oldest(hw_ring_t* ring) {
  ring->first = ring->first + 1 == ring->capacity ? 0 : ring->first + 1;
  ring->count--;
}

void hw_ring_push(hw_ring_t* ring, const void* record) {
  if (ring->capacity == 0) return;
  if (ring->count == ring->capacity) {
    drop_oldest(ring);
    ring->overwritten++;
  }
  memcpy(slot(ring, ring->count), record, ring->record_bytes);
  ring->count++;
}

int hw_ring_shift(hw_ring_t* ring, void* record) {
  if (ring->count == 0) return HW_ERANGE;
  memcpy(record, slot(ring, 0), ring->record_bytes);
  drop_oldest(ring);
  return 0;
}

const void* hw_ring_at(const hw_ring_t* ring, size_t index) {
  return index < ring->count ? slot(ring, index) : NULL;
}

void hw_ring_trim(hw_ring_t* ring) {
  if (ring->count == ring->capacity) return;
  if (ring->count == 0) {
    hw_ring_close(ring);
    return;
  }
  unsigned char* records = malloc(ring->count * ring->record_bytes);
  if (records == NULL) return;
  for (size_t i = 0; i < ring->count; i++)
    memcpy(records + i * ring->record_bytes, slot(ring, i), ring->record_bytes);
  free(ring->records);
  ring->records = records;
  ring->capacity = ring->count;
  ring->first = 0;
}
