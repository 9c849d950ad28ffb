/* What a bad machine does to a process: a wrong clock, a slow or failing disk, an end in the middle of a write.
 *
 * Loaded into one station by LD_PRELOAD. The tests write the orders into a small file that both map (shim.py), so
 * they can be changed while the station runs. Only what goes to files counts; sockets and standard output do not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The order of members is that of shim.py. */
struct orders {
    _Atomic int64_t clock_ns;   /* added to the time of day */
    _Atomic int64_t sync_us;    /* each fsync takes so much longer */
    _Atomic int64_t fail_syncs; /* 1: every fsync fails */
    _Atomic int64_t die_in;     /* at this write or fsync from now on: 1 is the next one; 0 never */
    _Atomic int64_t die_how;    /* 0 before it, 1 in its middle, 2 after it */
    _Atomic int64_t calls;      /* writes and fsyncs so far */
};

static struct orders none, *orders = &none;

__attribute__((constructor)) static void map_orders(void)
{
    const char *path = getenv("CHAOS_ORDERS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        orders = mapped;
    close(file);
}

static int is_file(int file)
{
    struct stat found;
    return file > 2 && fstat(file, &found) == 0 && S_ISREG(found.st_mode);
}

/* Whether this call is the one to die at. */
static int falls(void)
{
    atomic_fetch_add(&orders->calls, 1);
    return atomic_load(&orders->die_in) > 0 && atomic_fetch_sub(&orders->die_in, 1) == 1;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

typedef ssize_t (*pwrite_type)(int, const void *, size_t, off64_t);
typedef ssize_t (*write_type)(int, const void *, size_t);
typedef int (*sync_type)(int);
typedef int (*gettime_type)(clockid_t, struct timespec *);

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at)
{
    static pwrite_type next;
    if (!next)
        next = (pwrite_type)dlsym(RTLD_NEXT, "pwrite64");
    if (!is_file(file) || !falls())
        return next(file, data, size, at);
    if (orders->die_how)
        next(file, data, orders->die_how == 1 ? size / 2 : size, at);
    die();
    return -1;
}

ssize_t write(int file, const void *data, size_t size)
{
    static write_type next;
    if (!next)
        next = (write_type)dlsym(RTLD_NEXT, "write");
    if (!is_file(file) || !falls())
        return next(file, data, size);
    if (orders->die_how)
        next(file, data, orders->die_how == 1 ? size / 2 : size);
    die();
    return -1;
}

static int synced(sync_type next, int file)
{
    int last = falls();
    if (last && orders->die_how < 2)
        die();
    int64_t delay = orders->sync_us;
    if (delay > 0)
        usleep((useconds_t)delay);
    if (orders->fail_syncs) {
        errno = EIO;
        return -1;
    }
    int result = next(file);
    if (last)
        die();
    return result;
}

int fdatasync(int file)
{
    static sync_type next;
    if (!next)
        next = (sync_type)dlsym(RTLD_NEXT, "fdatasync");
    return synced(next, file);
}

int fsync(int file)
{
    static sync_type next;
    if (!next)
        next = (sync_type)dlsym(RTLD_NEXT, "fsync");
    return synced(next, file);
}

static void shift(struct timespec *found)
{
    int64_t all = (int64_t)found->tv_sec * 1000000000 + found->tv_nsec + orders->clock_ns;
    found->tv_sec = all / 1000000000;
    found->tv_nsec = all % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *found)
{
    static gettime_type next;
    if (!next)
        next = (gettime_type)dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, found);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(found);
    return result;
}

int gettimeofday(struct timeval *found, void *zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *found)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found)
        *found = now.tv_sec;
    return now.tv_sec;
}
