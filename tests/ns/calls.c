/* SPDX-License-Identifier: MIT */
/* Makes the system calls that its arguments name, harmlessly, and prints of each how it ended: "wx=EPERM fifo=0". */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

static long make_fifo(void)
{
	struct sched_param p = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO, &p);
}

static long make_batch(void)
{
	struct sched_param p = {0};

	return sched_setscheduler(0, SCHED_BATCH, &p);
}

static long make_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE);
}

static long make_same_personality(void)
{
	return personality((unsigned long)personality(0xffffffff));
}

static long make_suid(void)
{
	int fd = open("/tmp/hark-suid", O_CREAT | O_WRONLY | O_CLOEXEC, 04755);
	int err = errno;

	unlink("/tmp/hark-suid");
	errno = err;
	return fd;
}

static long make_file(void)
{
	int fd = open("/tmp/hark-suid", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	long r = fd < 0 ? -1 : fchmod(fd, 0700);

	unlink("/tmp/hark-suid");
	return r;
}

static long make_sgid(void)
{
	int fd = open("/tmp/hark-suid", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	long r = fchmod(fd, 02755);
	int err = errno;

	unlink("/tmp/hark-suid");
	errno = err;
	return r;
}

static long make_wx(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

static long make_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long make_uts(void)
{
	return unshare(CLONE_NEWUTS);
}

static long make_net(void)
{
	return unshare(CLONE_NEWNET);
}

static long make_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0UL);
}

static long make_inet(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long make_unix(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long make_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long make_host(void)
{
	return sethostname("hark-other", 10);
}

static long make_log(void)
{
	return klogctl(10, NULL, 0); /* SYSLOG_ACTION_SIZE_BUFFER */
}

static long make_clock(void)
{
	struct timex t = {0};

	return adjtimex(&t);
}

static long make_mount(void)
{
	return syscall(SYS_mount, NULL, NULL, NULL, 0UL, NULL);
}

static long make_chown(void)
{
	return syscall(SYS_fchown, -1, 0, 0);
}

static long make_priority(void)
{
	return nice(0);
}

/* The same number by the ABI of 32 bits: getpid(2) there is 20. */
static long make_foreign(void)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	errno = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : 0;
#else
	errno = EPERM;
	return -1;
#endif
}

static const struct call {
	const char *name;
	long (*make)(void);
} calls[] = {
	{"fifo", make_fifo},
	{"batch", make_batch},
	{"personality", make_personality},
	{"same", make_same_personality},
	{"suid", make_suid},
	{"file", make_file},
	{"sgid", make_sgid},
	{"wx", make_wx},
	{"exec", make_exec},
	{"uts", make_uts},
	{"net", make_net},
	{"clone3", make_clone3},
	{"inet", make_inet},
	{"unix", make_unix},
	{"netlink", make_netlink},
	{"host", make_host},
	{"log", make_log},
	{"clock", make_clock},
	{"mount", make_mount},
	{"chown", make_chown},
	{"nice", make_priority},
	{"foreign", make_foreign},
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
			if (strcmp(argv[i], calls[k].name) != 0)
				continue;
			errno = 0;
			printf("%s%s=%s", i > 1 ? " " : "", argv[i],
			       calls[k].make() < 0 ? strerrorname_np(errno) : "0");
			fflush(stdout);
		}
	printf("\n");
	return 0;
}
