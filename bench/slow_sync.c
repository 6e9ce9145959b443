/* Preloaded, it makes each sync that goes through the C library wait BENCH_SYNC_US microseconds longer: what writers share
 * is the sync, so their ratios depend on what one costs. SQLite's syncs, ours and others', go this way. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int after_a_wait(long call, int file) {
    const char *wait = getenv("BENCH_SYNC_US");
    if (wait) usleep((useconds_t)atoi(wait));
    return (int)syscall(call, file);
}

int fsync(int file) { return after_a_wait(SYS_fsync, file); }

int fdatasync(int file) { return after_a_wait(SYS_fdatasync, file); }
