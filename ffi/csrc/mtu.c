/* MTUs above what a driver admits to: see mtu.h. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_version.h>

#include "mtu.h"

static bool driver_is(const struct rte_eth_dev_info *dev, const char *name)
{
	return dev->driver_name != NULL && strcmp(dev->driver_name, name) == 0;
}

bool pxtr_mtu_understated(const struct rte_eth_dev_info *dev, uint16_t mtu)
{
	if (dev->max_rx_pktlen >= (uint32_t)mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN)
		return false;
	return driver_is(dev, "net_af_packet") || driver_is(dev, "net_tap") || driver_is(dev, "net_memif");
}

/* The kernel's side of the port. */
static int kernel_mtu(unsigned int if_index, uint16_t mtu)
{
	struct ifreq ifr;
	int err = 0;
	int fd;

	memset(&ifr, 0, sizeof(ifr));
	if (if_indextoname(if_index, ifr.ifr_name) == NULL)
		return -errno;
	ifr.ifr_mtu = mtu;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		err = -errno;
	close(fd);
	return err;
}

#if RTE_VERSION < RTE_VERSION_NUM(23, 0, 0, 0)
/*
 * net_tap of 22.11 drops frames above the MTU that ethdev recorded, which ethdev does not let grow
 * past 1504. The record itself is therefore changed. These are the public beginnings of two structs
 * of ABI 23, which no 22.11.x changes; whether they hold is tried out before anything is written.
 */
struct data_abi_23 {
	char name[RTE_ETH_NAME_MAX_LEN];
	void **rx_queues;
	void **tx_queues;
	uint16_t nb_rx_queues;
	uint16_t nb_tx_queues;
	uint8_t sriov[6];
	void *dev_private;
	struct rte_eth_link dev_link;
	struct rte_eth_conf dev_conf;
	uint16_t mtu;
};

struct dev_abi_23 {
	void *burst_functions[6];
	struct data_abi_23 *data;
	void *pointers[4];
	void *link_callbacks[2];
	void *rx_callbacks[RTE_MAX_QUEUES_PER_PORT];
	void *tx_callbacks[RTE_MAX_QUEUES_PER_PORT];
	int state;
	void *security_ctx;
} __rte_cache_aligned;

extern struct dev_abi_23 rte_eth_devices[];

static bool recorded(uint16_t port, uint16_t mtu)
{
	return rte_eth_dev_set_mtu(port, mtu) == 0 && rte_eth_devices[port].data->mtu == mtu;
}

static int record_mtu(uint16_t port, uint16_t mtu)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	if (rte_eth_dev_get_name_by_port(port, name) != 0 || rte_eth_devices[port].data == NULL ||
	    strncmp(rte_eth_devices[port].data->name, name, sizeof(name)) != 0)
		return -ENOTSUP;
	if (!recorded(port, 1400) || !recorded(port, RTE_ETHER_MTU))
		return -ENOTSUP;
	rte_eth_devices[port].data->mtu = mtu;
	return 0;
}
#else
static int record_mtu(uint16_t port, uint16_t mtu)
{
	(void)port;
	(void)mtu;
	return -ENOTSUP;
}
#endif

int pxtr_mtu_apply(uint16_t port, const struct rte_eth_dev_info *dev, uint16_t mtu)
{
	int err = 0;

	if (!pxtr_mtu_understated(dev, mtu)) {
		err = rte_eth_dev_set_mtu(port, mtu);
		/* A driver without the notion (net_null, net_ring, net_pcap) takes any size. */
		return err == -ENOTSUP ? 0 : err;
	}
	if (driver_is(dev, "net_tap"))
		err = record_mtu(port, mtu);
	if (err == 0 && dev->if_index != 0)
		err = kernel_mtu(dev->if_index, mtu);
	return err;
}
