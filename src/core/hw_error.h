#ifndef HW_ERROR_H_
#define HW_ERROR_H_

/*
 * Errors of the C layers.
 *
 * Functions that can fail return 0 or one of these, which are negative. On an
 * error no output has been touched. The map is the single list: it generates
 * the constants, the messages, and the codes that JavaScript sees
 * (`ERR_HEAPWATCH_` followed by the name).
 */

#define HW_ERROR_MAP(XX)                                                      \
  XX(EINVAL, -1, "a value is out of its range")                               \
  XX(ENOMEM, -2, "not enough memory")                                         \
  XX(ESTATE, -3, "not possible in the present state")                         \
  XX(ERANGE, -4, "an index is beyond what is stored")                         \
  XX(ELOOP, -5, "the event loop refused a handle")                            \
  XX(EBUSY, -6, "somebody else samples this heap")                            \
  XX(EFORMAT, -20, "the file is not a whole heap snapshot")                   \
  XX(EIO, -21, "the file cannot be read")                                     \
  XX(ENOTFOUND, -22, "the snapshot has no such object or class")              \
  XX(ECANCELED, -23, "canceled")                                              \
  XX(RECORDING_NOT_FOUND, -30, "there is no such file")                       \
  XX(RECORDING_DENIED, -31, "it belongs to another user, or may not be read") \
  XX(RECORDING_FOREIGN, -32, "the file is not a recording")                   \
  XX(RECORDING_EMPTY, -33, "the file is empty")                               \
  XX(RECORDING_TRUNCATED, -34, "the recording has been cut short")            \
  XX(RECORDING_VERSION, -35, "the recording is of another version")           \
  XX(RECORDING_DAMAGED, -36, "the head of the recording is damaged")          \
  XX(RECORDING_IO, -37, "the recording cannot be read or written")            \
  XX(RECORDING_EXISTS, -38, "the file exists already")                        \
  XX(RECORDING_UNSAFE, -39,                                                   \
     "the directory is a symbolic link, belongs to another user or is open "  \
     "to others")                                                             \
  XX(RECORDING_FULL, -40, "the file system has no room for it")               \
  XX(RECORDING_READ_ONLY, -41, "the file system is read-only")                \
  XX(RECORDING_TOO_LARGE, -42, "the text does not fit")                       \
  XX(SNAPSHOT_UNSUPPORTED, -60,                                               \
     "a snapshot that does not stop the process needs Linux with glibc")      \
  XX(SNAPSHOT_SANDBOX, -61,                                                   \
     "a snapshot that does not stop the process needs seccomp filters")       \
  XX(SNAPSHOT_BUSY, -62, "another snapshot of this process is being taken")   \
  XX(SNAPSHOT_PAUSE, -63, "the heap is too large for the pause allowed")      \
  XX(SNAPSHOT_MEMORY, -64, "not enough memory for a snapshot")                \
  XX(SNAPSHOT_OOM_GROUP, -65,                                                 \
     "running out of memory would kill the whole control group "              \
     "(memory.oom.group)")                                                    \
  XX(SNAPSHOT_PARKING, -66, "V8's other threads cannot be held still")        \
  XX(SNAPSHOT_FORK, -67, "the process cannot be forked")                      \
  XX(SNAPSHOT_FILE, -68, "the snapshot cannot be written")                    \
  XX(SNAPSHOT_CRASHED, -69, "the process that takes the snapshot has died")   \
  XX(SNAPSHOT_HUNG, -70, "the process that takes the snapshot hangs")         \
  XX(SNAPSHOT_TIMEOUT, -71, "the snapshot takes too long")                    \
  XX(SNAPSHOT_CANCELED, -72, "the thread ends")

enum {
#define XX(name, value, message) HW_##name = value,
  HW_ERROR_MAP(XX)
#undef XX
};

/* The message of `error` in English, without a full stop: a static string,
 * never NULL; for a number that is not an error, "unknown error". Pure. */
const char* hw_error_message(int error);

/* The JavaScript code of `error`, such as "ERR_HEAPWATCH_EINVAL": a static
 * string, never NULL; for anything else "ERR_HEAPWATCH_UNKNOWN". Pure. */
const char* hw_error_code(int error);

#endif /* HW_ERROR_H_ */
