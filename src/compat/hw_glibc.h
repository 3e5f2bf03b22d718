/*
 * Lets a binary built on a new Linux run on an old one. binding.gyp includes
 * this file before all others where the C library is glibc. It includes nothing
 * itself: the files that come after may still say which features they want.
 *
 * Where glibc has more than one version of a function, the linker takes the
 * newest, and the binary then refuses to load where that is not known, though
 * the older one would do as well. `.symver` asks for the oldest: the one that
 * the architecture's first glibc had. The functions here are those that
 * heapwatch calls and glibc has renewed: exp, log and pow in 2.29, without
 * the old handling of errors that nobody here asks for, and those of threads,
 * which moved here from libpthread, which Node.js has loaded where it exists.
 * fstat and stat are new in 2.33; hw_glibc.c has its own.
 *
 * `npm run binaries` fails when a binary needs more than it says.
 */
#ifndef HW_GLIBC_H_
#define HW_GLIBC_H_

#if defined(__x86_64__)
#define HW_GLIBC_OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define HW_GLIBC_OLDEST "GLIBC_2.17"
#endif

#ifdef HW_GLIBC_OLDEST
__asm__(".symver exp,exp@" HW_GLIBC_OLDEST);
__asm__(".symver log,log@" HW_GLIBC_OLDEST);
__asm__(".symver pow,pow@" HW_GLIBC_OLDEST);
__asm__(".symver pthread_create,pthread_create@" HW_GLIBC_OLDEST);
__asm__(".symver pthread_join,pthread_join@" HW_GLIBC_OLDEST);
__asm__(".symver pthread_sigmask,pthread_sigmask@" HW_GLIBC_OLDEST);
#endif

#endif /* HW_GLIBC_H_ */
