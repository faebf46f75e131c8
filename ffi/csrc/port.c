/* Devices and ports: control path only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <rte_version.h>

#include "mtu.h"
#include "shim.h"

/* Flows are spread by addresses and ports; fragments by addresses. */
#define WANTED_RSS (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)
#define RX_L4_CKSUM (RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

int pxtr_dev_probe(const char *devargs)
{
	return rte_dev_probe(devargs);
}

int pxtr_vdev_remove(const char *name)
{
	return rte_eal_hotplug_remove("vdev", name);
}

int pxtr_port_by_name(const char *name, uint16_t *port)
{
	return rte_eth_dev_get_port_by_name(name, port);
}

int pxtr_port_info(uint16_t port, struct pxtr_port_info *info)
{
	struct rte_eth_dev_info dev;
	int err = rte_eth_dev_info_get(port, &dev);

	if (err)
		return err;
	memset(info, 0, sizeof(*info));
	if (dev.driver_name != NULL)
		strncpy(info->driver, dev.driver_name, sizeof(info->driver) - 1);
	info->socket = rte_eth_dev_socket_id(port);
	info->max_rx_pktlen = dev.max_rx_pktlen;
	info->min_mtu = dev.min_mtu;
	info->max_mtu = dev.max_mtu;
	info->max_rx_queues = dev.max_rx_queues;
	info->max_tx_queues = dev.max_tx_queues;
	info->rss = (dev.flow_type_rss_offloads & WANTED_RSS) != 0;
	info->rx_ip_checksum = (dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
	info->rx_l4_checksum = (dev.rx_offload_capa & RX_L4_CKSUM) != 0;
	info->rx_scatter = (dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
	info->tx_ip_checksum = (dev.tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
	info->tx_multi_segs = (dev.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
	return 0;
}

static void fill_conf(struct rte_eth_conf *eth, const struct rte_eth_dev_info *dev,
		      const struct pxtr_port_conf *conf)
{
	memset(eth, 0, sizeof(*eth));
	eth->rxmode.mtu = conf->mtu;
	if (conf->rss) {
		eth->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		eth->rx_adv_conf.rss_conf.rss_hf = dev->flow_type_rss_offloads & WANTED_RSS;
	}
	if (conf->rx_ip_checksum)
		eth->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (conf->rx_l4_checksum)
		eth->rxmode.offloads |= dev->rx_offload_capa & RX_L4_CKSUM;
	if (conf->rx_scatter)
		eth->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	if (conf->tx_ip_checksum)
		eth->txmode.offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if (conf->tx_multi_segs)
		eth->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

static int set_up_queues(uint16_t port, const struct pxtr_port_conf *conf, struct rte_eth_dev_info *dev,
			 const struct rte_eth_conf *eth, struct rte_mempool *pool, enum pxtr_step *step)
{
	uint16_t rx_desc = conf->rx_descriptors;
	uint16_t tx_desc = conf->tx_descriptors;
	int err;

	*step = PXTR_STEP_DESCRIPTORS;
	err = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_desc, &tx_desc);
	if (err)
		return err;
	*step = PXTR_STEP_RX_QUEUE;
	for (uint16_t q = 0; q < conf->rx_queues; q++) {
		struct rte_eth_rxconf rx = dev->default_rxconf;

		rx.offloads = eth->rxmode.offloads;
		err = rte_eth_rx_queue_setup(port, q, rx_desc, rte_eth_dev_socket_id(port), &rx, pool);
		if (err)
			return err;
	}
	*step = PXTR_STEP_TX_QUEUE;
	for (uint16_t q = 0; q < conf->tx_queues; q++) {
		struct rte_eth_txconf tx = dev->default_txconf;

		tx.offloads = eth->txmode.offloads;
		err = rte_eth_tx_queue_setup(port, q, tx_desc, rte_eth_dev_socket_id(port), &tx);
		if (err)
			return err;
	}
	return 0;
}

int pxtr_port_configure(uint16_t port, const struct pxtr_port_conf *conf, struct rte_mempool *pool,
			enum pxtr_step *step)
{
	struct rte_eth_dev_info dev;
	struct rte_eth_conf eth;
	int err;

	*step = PXTR_STEP_INFO;
	err = rte_eth_dev_info_get(port, &dev);
	if (err)
		return err;
	*step = PXTR_STEP_CONFIGURE;
	fill_conf(&eth, &dev, conf);
	if (pxtr_mtu_understated(&dev, conf->mtu))
		eth.rxmode.mtu = RTE_ETHER_MTU;
	err = rte_eth_dev_configure(port, conf->rx_queues, conf->tx_queues, &eth);
	if (err)
		return err;
	err = set_up_queues(port, conf, &dev, &eth, pool, step);
	if (err)
		return err;
	*step = PXTR_STEP_MTU;
	return pxtr_mtu_apply(port, &dev, conf->mtu);
}

int pxtr_port_start(uint16_t port)
{
	return rte_eth_dev_start(port);
}

void pxtr_port_close(uint16_t port)
{
	/* Failure to stop leaves nothing better to do than to close. */
	(void)rte_eth_dev_stop(port);
	(void)rte_eth_dev_close(port);
}

int pxtr_port_promiscuous(uint16_t port, int on)
{
	return on ? rte_eth_promiscuous_enable(port) : rte_eth_promiscuous_disable(port);
}

int pxtr_port_all_multicast(uint16_t port, int on)
{
	return on ? rte_eth_allmulticast_enable(port) : rte_eth_allmulticast_disable(port);
}

int pxtr_port_mac(uint16_t port, uint8_t mac[6])
{
	struct rte_ether_addr addr;
	int err = rte_eth_macaddr_get(port, &addr);

	if (err == 0)
		memcpy(mac, addr.addr_bytes, 6);
	return err;
}

int pxtr_port_link(uint16_t port, struct pxtr_link *link)
{
	struct rte_eth_link dpdk;
	int err;

	memset(&dpdk, 0, sizeof(dpdk));
	err = rte_eth_link_get_nowait(port, &dpdk);
	if (err)
		return err;
	link->speed_mbps = dpdk.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : dpdk.link_speed;
	link->up = dpdk.link_status == RTE_ETH_LINK_UP;
	link->full_duplex = dpdk.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return 0;
}

int pxtr_port_stats(uint16_t port, struct pxtr_stats *stats)
{
	struct rte_eth_stats dpdk;
	int err = rte_eth_stats_get(port, &dpdk);

	if (err)
		return err;
	stats->rx_packets = dpdk.ipackets;
	stats->tx_packets = dpdk.opackets;
	stats->rx_bytes = dpdk.ibytes;
	stats->tx_bytes = dpdk.obytes;
	stats->rx_missed = dpdk.imissed;
	stats->rx_errors = dpdk.ierrors;
	stats->tx_errors = dpdk.oerrors;
	stats->rx_no_mbuf = dpdk.rx_nombuf;
	return 0;
}

int pxtr_port_xstats(uint16_t port, struct pxtr_xstat *out, unsigned int len)
{
	int count = rte_eth_xstats_get_names(port, NULL, 0);
	struct rte_eth_xstat_name *names;
	struct rte_eth_xstat *values;
	int got;

	if (count <= 0)
		return count;
	names = calloc((size_t)count, sizeof(*names));
	values = calloc((size_t)count, sizeof(*values));
	got = -ENOMEM;
	if (names != NULL && values != NULL)
		got = rte_eth_xstats_get_names(port, names, (unsigned int)count);
	if (got >= 0 && got <= count)
		got = rte_eth_xstats_get(port, values, (unsigned int)count);
	for (int i = 0; i < got && i < count && (unsigned int)i < len; i++) {
		uint64_t id = values[i].id < (uint64_t)count ? values[i].id : (uint64_t)i;

		_Static_assert(sizeof(out->name) == sizeof(names->name), "xstat names are 64 bytes");
		memcpy(out[i].name, names[id].name, sizeof(out[i].name));
		out[i].name[sizeof(out[i].name) - 1] = '\0';
		out[i].value = values[i].value;
	}
	free(names);
	free(values);
	return got;
}

struct rte_ring *pxtr_ring_create(const char *name, unsigned int size)
{
	/* Each end is one queue, served by one thread. */
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

void pxtr_ring_drain_and_free(struct rte_ring *ring)
{
	void *m;

	while (rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

int pxtr_port_from_rings(const char *name, struct rte_ring **rx, struct rte_ring **tx, unsigned int queues)
{
	int port = rte_eth_from_rings(name, rx, queues, tx, queues, 0);

	return port >= 0 ? port : (rte_errno > 0 ? -rte_errno : -EINVAL);
}
