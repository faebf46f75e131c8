/* EAL, threads, time. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_version.h>

#include "shim.h"

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "DPDK 22.11 or newer is needed (apt install libdpdk-dev on Debian 12 or newer)"
#endif

int pxtr_eal_init(int argc, char **argv)
{
	/* Standard output belongs to the program; the default stream is stdout plus syslog. */
	rte_openlog_stream(stderr);
	if (rte_eal_init(argc, argv) < 0)
		return rte_errno > 0 ? -rte_errno : -EINVAL;
	return 0;
}

const char *pxtr_version(void)
{
	return rte_version();
}

const char *pxtr_runtime_dir(void)
{
	return rte_eal_get_runtime_dir();
}

uint64_t pxtr_tsc_hz(void)
{
	return rte_get_tsc_hz();
}

int pxtr_pin(unsigned int cpu)
{
	cpu_set_t set;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

int pxtr_allowed_cpus(uint8_t *cpus, unsigned int len)
{
	cpu_set_t set;
	int count = 0;
	int err;

	CPU_ZERO(&set);
	err = pthread_getaffinity_np(pthread_self(), sizeof(set), &set);
	if (err)
		return -err;
	for (unsigned int i = 0; i < len; i++) {
		cpus[i] = i < CPU_SETSIZE && CPU_ISSET(i, &set);
		count += cpus[i];
	}
	return count;
}

int pxtr_thread_register(void)
{
	if (rte_thread_register() < 0)
		return rte_errno > 0 ? -rte_errno : -EINVAL;
	return 0;
}

void pxtr_thread_unregister(void)
{
	rte_thread_unregister();
}

int pxtr_socket_of_cpu(unsigned int cpu)
{
	char path[96];

	/* The EAL only knows its own lcores; workers register later, so ask the kernel. */
	for (int node = 0; node < RTE_MAX_NUMA_NODES; node++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%u/online", node, cpu);
		f = fopen(path, "re");
		if (f == NULL) {
			/* CPU 0 often has no `online` file. */
			snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%u/topology/core_id",
				 node, cpu);
			f = fopen(path, "re");
		}
		if (f != NULL) {
			fclose(f);
			return node;
		}
	}
	return -1;
}
