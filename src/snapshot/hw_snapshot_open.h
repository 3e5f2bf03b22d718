#ifndef HW_SNAPSHOT_OPEN_H_
#define HW_SNAPSHOT_OPEN_H_

#include "snapshot/hw_snapshot_file.h"
#include "snapshot/hw_snapshot_graph.h"
#include "snapshot/hw_snapshot_run.h"

/*
 * A file and its graph together, for the files of this directory that answer.
 */
typedef struct {
  hw_snapshot_file_t file;
  hw_snapshot_t* graph;
} hw_opened_t;

#define HW_WANT_DISTANCES 1u
#define HW_WANT_DOMINATORS 2u
#define HW_WANT_NAMES 4u

/* Maps and reads `path`, computes shallow sizes and what is wanted besides.
 * hw_opened_close frees what there is, after an error too. */
int hw_opened_open(const char* path, unsigned want,
                   const hw_run_options_t* options, hw_opened_t* opened,
                   hw_failure_t* failure);
void hw_opened_close(hw_opened_t* opened);

#endif /* HW_SNAPSHOT_OPEN_H_ */
